package acceptance

import (
	"bufio"
	"context"
	"errors"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"canopy/plugins/plugintest/rig"
	"canopy/plugins/wire/marker"
)

// party is one side of third-party copies, behind a proxy that can slow it down.
type party struct {
	name, base string
	dir        string // what it has on its disk
	toxic      *rig.Proxy
	// kill kills what has the bytes, as a crash would, and revive starts it again.
	kill, revive func()
}

// parties start one each of those between whom files are copied.
var parties = map[string]func(*testing.T) *party{
	"xrootd": func(t *testing.T) *party {
		s := rig.XRootD(t, rig.TempDir(t), rig.ThirdParty())
		toxic := rig.Toxic(t, s.URL())
		return &party{"xrootd", toxic.URL(), s.Dir(), toxic, s.Stop, s.Start}
	},
	// A federation over an Apache server, whose bytes Canopy moves.
	"federation": func(t *testing.T) *party {
		s := rig.Apache(t, rig.TempDir(t))
		toxic := rig.Toxic(t, s.URL())
		return &party{"federation", private(t, "name: apache, type: dav, atomic: true, url: "+toxic.URL()), s.Dir(), toxic, s.Stop, s.Start}
	},
	// A data server as people start one.
	"share": func(t *testing.T) *party {
		s := &shared{t: t, dir: t.TempDir(), address: "127.0.0.1:0"}
		s.start()
		toxic := rig.Toxic(t, "http://"+s.address)
		return &party{"share", toxic.URL(), s.dir, toxic, func() { s.kill() }, s.start}
	},
}

// private serves a federation of one endpoint, which copies from and to servers
// on this machine.
func private(t *testing.T, endpoint string) (base string) {
	t.Helper()
	_, base = serve(t, everything+"transfers: {private: true}\nendpoints: [{"+endpoint+", write: true}]\n")
	return base
}

// shared is a directory served by canopy share, at the same address again if it
// is started again.
type shared struct {
	t            *testing.T
	dir, address string
	kill         func()
}

func (s *shared) start() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 5*time.Minute)
	s.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, binary(s.t), "share", "--private", "--quiet", "--listen", s.address, s.dir)
	cmd.Stderr = s.t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.kill = sync.OnceFunc(func() {
		_ = cmd.Process.Kill() // it may have ended by itself
		_ = cmd.Wait()
	})
	s.t.Cleanup(s.kill)
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		s.t.Fatal("canopy share does not say where it is")
	}
	_, base, ok := strings.Cut(lines.Text(), " is at http://")
	if !ok {
		s.t.Fatalf("canopy share says %q", lines.Text())
	}
	s.address = strings.TrimSuffix(base, "/")
}

// dav is the party's address as gfal2 has it.
func (p *party) dav(path string) string { return "dav" + strings.TrimPrefix(p.base, "http") + path }

// lay puts a file on the party's disk.
func (p *party) lay(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(p.dir+path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

// files are all that is on the party's disk, with their sizes, also what is being
// written and in staging directories.
func (p *party) files(t *testing.T) map[string]int64 {
	t.Helper()
	all := make(map[string]int64)
	err := filepath.WalkDir(p.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			all[strings.TrimPrefix(path, p.dir)] = info.Size()
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // what has gone meanwhile
		t.Fatal(err)
	}
	return all
}

// is checks a file on the party's disk.
func (p *party) is(t *testing.T, path, want string) {
	t.Helper()
	if b, err := os.ReadFile(p.dir + path); err != nil || string(b) != want {
		t.Errorf("%s%s: %d bytes (%v), not the %d that it should be; there are %v", p.name, path, len(b), err, len(want), p.files(t))
	}
}

// eventually waits for something that must happen.
func eventually(t *testing.T, what string, happens func() bool) {
	t.Helper()
	late := time.After(30 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !happens() {
		select {
		case <-late:
			t.Fatalf("not within half a minute: %s", what)
		case <-tick.C:
		}
	}
}

// bulk is content that does not repeat.
func bulk(size int) string {
	b := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{}).Read(b) // which never fails
	return string(b)
}

// answer is what a COPY came to.
type answer struct {
	status  string
	markers []marker.Marker
	last    marker.Outcome
	err     error // also where there is no last line
}

// order sends a COPY by curl.
func (c *client) order(mode string, from, to string, headers ...string) *answer {
	c.t.Helper()
	at, other := to, "Source: "+from
	if mode == "push" {
		at, other = from, "Destination: "+to
	}
	args := []string{"-sS", "-N", "-X", "COPY", "-D", "header", "-H", other}
	for _, h := range headers {
		args = append(args, "-H", h)
	}
	out, err := c.try("curl", append(args, at)...)
	header, again := os.ReadFile(filepath.Join(c.dir, "header"))
	a := &answer{err: errors.Join(err, again)}
	a.status, _, _ = strings.Cut(string(header), "\r\n")
	a.last, err = marker.Read(strings.NewReader(out), func(m marker.Marker) { a.markers = append(a.markers, m) })
	a.err = errors.Join(a.err, err)
	return a
}

// fails runs a program that must not succeed.
func (c *client) fails(name string, args ...string) {
	c.t.Helper()
	if out, err := c.try(name, args...); err == nil {
		c.t.Errorf("%s %s succeeds:\n%s", name, strings.Join(args, " "), out)
	}
}

func pairs(yield func(from, to string) bool) {
	for _, from := range []string{"xrootd", "federation", "share"} {
		for _, to := range []string{"xrootd", "federation", "share"} {
			if from != to && !yield(from, to) {
				return
			}
		}
	}
}

var modes = []string{"pull", "push"}

// TestThirdParty has the clients of the grid order copies between all of them.
func TestThirdParty(t *testing.T) {
	all := make(map[string]*party)
	for name, start := range parties {
		all[name] = start(t)
	}
	text := bulk(5 << 20)
	for from, to := range pairs {
		from, to := all[from], all[to]
		for _, mode := range modes {
			t.Run(from.name+" to "+to.name+" by "+mode, func(t *testing.T) {
				c := newClient(t)
				path := "/" + from.name + "-" + mode
				from.lay(t, "/source", text)
				out := c.run("gfal-copy", "-vv", "--copy-mode", mode, from.dav("/source"), to.dav(path+"-gfal"))
				c.says(out, "Copy succeeded using mode 3rd "+mode)
				to.is(t, path+"-gfal", text)
				out = c.run("davix-cp", "--trace", "header", "--copy-mode", mode, from.base+"/source", to.base+path+"-davix")
				c.says(out, "> COPY ")
				to.is(t, path+"-davix", text)
				a := c.order(mode, from.base+"/source", to.base+path+"-curl")
				if a.err != nil || a.last.State != marker.Success || len(a.markers) == 0 {
					t.Errorf("%v", a)
				}
				if last := a.markers[len(a.markers)-1]; active(from, to, mode).name != "xrootd" && (last.Bytes != int64(len(text)) || len(last.Remote) == 0) {
					t.Errorf("the last marker is %+v", last) // XRootD's comes before its end
				}
				to.is(t, path+"-curl", text)
			})
		}
	}
}

// TestThirdPartyDies kills the source while it is copied from.
func TestThirdPartyDies(t *testing.T) {
	text := bulk(48 << 20)
	for from, to := range pairs {
		for _, mode := range modes {
			t.Run(from+" to "+to+" by "+mode, func(t *testing.T) {
				t.Parallel()
				from, to := parties[from](t), parties[to](t)
				c := newClient(t)
				// gfal2 removes what its copy has left, curl leaves it.
				tools := []string{"curl"}
				if to.name == "xrootd" || from.name == "xrootd" && mode == "pull" {
					tools = append(tools, "gfal2")
				}
				for _, tool := range tools {
					from.lay(t, "/source", text)
					if tool == "gfal2" {
						from.revive()
						eventually(t, "the source is back", func() bool {
							_, err := c.try("curl", "-fsSI", from.base+"/source")
							return err == nil
						})
					}
					before := to.files(t)
					through := from.toxic
					if mode == "push" {
						through = to.toxic
					}
					for _, p := range []*party{from, to} {
						p.toxic.Latency(100*time.Millisecond, 100*time.Millisecond)
					}
					passed := through.Passed()
					done := make(chan *answer, 1)
					go func() {
						if tool == "curl" {
							done <- c.order(mode, from.base+"/source", to.base+"/copy")
						} else {
							out, err := c.try("gfal-copy", "-vv", "--just-copy", "--copy-mode", mode, from.dav("/source"), to.dav("/copy"))
							done <- &answer{status: out, err: err}
						}
					}()
					eventually(t, "a part of the file goes its way", func() bool { return through.Passed() > passed+4<<20 })
					from.kill()
					killed := time.Now()
					for _, p := range []*party{from, to} {
						p.toxic.Heal()
					}
					a := <-done
					if took := time.Since(killed); took > 45*time.Second {
						t.Errorf("%s ends %v after the source", tool, took)
					}
					if tool == "gfal2" {
						if a.err == nil {
							t.Errorf("gfal2 believes in the copy:\n%s", a.status)
						}
						eventually(t, "nothing is left", func() bool { return maps.Equal(to.files(t), before) })
						continue
					}
					switch who := active(from, to, mode); {
					case who == from && from.name != "federation":
						// Who would have said so is dead.
						if a.last.State != 0 || a.err == nil {
							t.Errorf("%v", a)
						}
					case a.err != nil || a.last.State != marker.Failure || len(a.markers) == 0:
						t.Errorf("%v", a)
					case who.name != "xrootd" && !strings.Contains(a.last.Message, "unavailable") && !strings.Contains(a.last.Message, "503"): // of the source, or of what is behind it
						t.Errorf("the reason is %q", a.last.Message)
					}
					if to.name == "xrootd" && (mode == "pull" || from.name == "share") {
						// XRootD 5.5 keeps what has arrived of a file that it
						// pulls, or that is sent by somebody who dies.
						eventually(t, "XRootD keeps the part", func() bool { return to.files(t)["/copy"] > 0 })
						if err := os.Remove(to.dir + "/copy"); err != nil {
							t.Error(err)
						}
						continue
					}
					eventually(t, "nothing is left", func() bool { return maps.Equal(to.files(t), before) })
				}
			})
		}
	}
}

// active is who makes the copy.
func active(from, to *party, mode string) *party {
	if mode == "pull" {
		return to
	}
	return from
}

// TestThirdPartyChecksums: nothing is left of a copy whose checksum is not the
// one that was stated, by the user or by the source.
func TestThirdPartyChecksums(t *testing.T) {
	all := make(map[string]*party)
	for name, start := range parties {
		all[name] = start(t)
	}
	text := bulk(1 << 20)
	for from, to := range pairs {
		from, to := all[from], all[to]
		for _, mode := range modes {
			t.Run(from.name+" to "+to.name+" by "+mode, func(t *testing.T) {
				from.lay(t, "/source", text)
				before := to.files(t)
				c := newClient(t)
				told, where := from, "source"
				if from.name == "federation" {
					told, where = to, "target" // Apache tells no checksums
				} else {
					c.fails("gfal-copy", "-K", "ADLER32:00000000", "--copy-mode", mode, from.dav("/source"), to.dav("/copy"))
					if now := to.files(t); !maps.Equal(now, before) {
						t.Errorf("there are %v instead of %v", now, before)
					}
				}
				c.run("gfal-copy", "-K", "ADLER32:"+adler(text), "--checksum-mode", where, "--copy-mode", mode, from.dav("/source"), to.dav("/copy"))
				c.says(c.run("gfal-sum", told.dav(map[string]string{"source": "/source", "target": "/copy"}[where]), "ADLER32"), adler(text))
				to.is(t, "/copy", text)
				if err := os.Remove(to.dir + "/copy"); err != nil {
					t.Error(err)
				}
			})
		}
	}
	// What it can compare at the end only gfal2 leaves where it is, also on an
	// XRootD server that has pulled from an Apache server, without Canopy.
	apache := &party{base: all["federation"].toxic.URL()}
	newClient(t).fails("gfal-copy", "-K", "ADLER32:00000000", "--copy-mode", "pull", apache.dav("/source"), all["xrootd"].dav("/kept"))
	all["xrootd"].is(t, "/kept", text)
}

// TestThirdPartyLies: the source tells another checksum than that of what it
// delivers.
func TestThirdPartyLies(t *testing.T) {
	apache := rig.Apache(t, rig.TempDir(t), rig.Extra(`Header set Digest "adler32=00000000"`))
	liar := &party{name: "liar", base: private(t, "name: apache, type: dav, atomic: true, url: "+apache.URL()), dir: apache.Dir()}
	text := bulk(1 << 20)
	liar.lay(t, "/source", text)
	c := newClient(t)
	for name, start := range parties {
		to := start(t)
		for _, mode := range modes {
			t.Run(mode+" to "+name, func(t *testing.T) {
				c := &client{t, c.dir, c.env}
				a := c.order(mode, liar.base+"/source", to.base+"/copy", "RequireChecksumVerification: true")
				if name == "xrootd" && mode == "pull" {
					// XRootD 5.5 does not compare.
					if a.last.State != marker.Success {
						t.Errorf("XRootD compares now: %v", a)
					}
					to.is(t, "/copy", text)
					return
				}
				if a.err != nil || a.last.State != marker.Failure || !strings.Contains(a.last.Message, "checksum") {
					t.Errorf("%v", a)
				}
				c.fails("gfal-copy", "--just-copy", "--copy-mode", mode, liar.dav("/source"), to.dav("/copy"))
				eventually(t, "nothing is left", func() bool { return len(to.files(t)) == 0 })
			})
		}
	}
}

// TestThirdPartyRedirect: a federation over an XRootD server sends clients of
// the grid there.
func TestThirdPartyRedirect(t *testing.T) {
	xrootd := rig.XRootD(t, rig.TempDir(t), rig.ThirdParty())
	apache := rig.Apache(t, rig.TempDir(t))
	_, base := serve(t, everything+"transfers: {private: true}\nuploads: {place: first}\nendpoints:\n"+
		"  - {name: xrootd, type: dav, write: true, third_party: [pull, push], url: "+xrootd.URL()+"}\n"+
		"  - {name: apache, type: dav, write: true, atomic: true, url: "+apache.URL()+"}\n")
	here := &party{name: "redirecting", base: base, dir: xrootd.Dir()}
	there := &party{name: "apache", dir: apache.Dir()}
	share := parties["share"](t)
	text := bulk(5 << 20)
	share.lay(t, "/source", text)
	c := newClient(t)
	to := "Location: " + xrootd.URL()
	shows := func(path, text string) {
		t.Helper()
		c.run("curl", "-fsSL", "-o", "got", base+path)
		c.holds("got", text)
	}

	out := c.run("gfal-copy", "-vv", "-K", "ADLER32", "--copy-mode", "pull", share.dav("/source"), here.dav("/gfal"))
	c.says(out, to+"/gfal", "Copy succeeded using mode 3rd pull")
	here.is(t, "/gfal", text)
	shows("/gfal", text)
	out = c.run("gfal-copy", "-vv", "-K", "ADLER32", "--copy-mode", "push", here.dav("/gfal"), share.dav("/gfal"))
	c.says(out, to+"/gfal", "Copy succeeded using mode 3rd push")
	share.is(t, "/gfal", text)
	c.says(c.run("davix-cp", "--trace", "header", "--copy-mode", "pull", share.base+"/source", base+"/davix"), to+"/davix")
	shows("/davix", text)
	c.says(c.run("davix-cp", "--trace", "header", "--copy-mode", "push", base+"/davix", share.base+"/davix"), to+"/davix")
	share.is(t, "/davix", text)

	// A directory that only the other endpoint has is made first.
	c.run("curl", "-fsS", "-X", "MKCOL", base+"/dir")
	if err := os.Remove(xrootd.Dir() + "/dir"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(apache.Dir()+"/dir", 0o777); err != nil {
		t.Fatal(err)
	}
	c.run("gfal-copy", "--copy-mode", "pull", share.dav("/source"), here.dav("/dir/f"))
	here.is(t, "/dir/f", text)

	// Who may not know what to do with a redirect gets none.
	if a := c.order("pull", share.base+"/source", base+"/curl"); a.status != "HTTP/1.1 202 Accepted" || a.last.State != marker.Success {
		t.Errorf("%v", a)
	}
	shows("/curl", text)

	// What is written over goes everywhere. gfal2 removes it beforehand.
	for _, path := range []string{"/gfal2", "/davix2"} {
		for _, p := range []*party{here, there} {
			p.lay(t, path, "old")
		}
		xrootd.Adopt()
		apache.Adopt()
		shows(path, "old")
		if path == "/gfal2" {
			c.run("gfal-copy", "-f", "--copy-mode", "pull", share.dav("/source"), here.dav(path))
		} else {
			c.run("davix-cp", "--copy-mode", "pull", share.base+"/source", base+path)
		}
		shows(path, text)
		here.is(t, path, text)
		if _, left := there.files(t)[path]; left {
			t.Errorf("apache still has %s", path)
		}
	}

	// XRootD shows the part that it has of a file, also when the source has died. It
	// is not seen in the federation, from where gfal2 removes it.
	share.lay(t, "/source", bulk(48<<20))
	before := here.files(t)
	share.toxic.Latency(100*time.Millisecond, 100*time.Millisecond)
	passed := share.toxic.Passed()
	done := make(chan error, 1)
	go func() {
		_, err := c.try("gfal-copy", "--just-copy", "--copy-mode", "pull", share.dav("/source"), here.dav("/dies"))
		done <- err
	}()
	eventually(t, "a part of the file goes its way", func() bool {
		return share.toxic.Passed() > passed+4<<20 && here.files(t)["/dies"] > 0
	})
	if status := c.run("curl", "-s", "-o", "part", "-w", "%{http_code}", base+"/dies"); status != "404" {
		t.Errorf("of a part: %s", status)
	}
	share.kill()
	if err := <-done; err == nil {
		t.Error("gfal2 believes in the copy")
	}
	eventually(t, "nothing is left", func() bool { return maps.Equal(here.files(t), before) })
	if status := c.run("curl", "-s", "-o", "gone", "-w", "%{http_code}", base+"/dies"); status != "404" {
		t.Errorf("afterwards: %s", status)
	}
}
