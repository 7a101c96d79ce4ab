package acceptance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"canopy/cache/redis"
	"canopy/plugins/plugintest/rig"
)

// keeping is a federation of two directories and an Apache that keeps several
// copies of files, served by the program itself.
type keeping struct {
	t      *testing.T
	dirs   map[string]string // by endpoint
	apache *rig.Server
	config string // its file
}

// newKeeping configures one with its endpoints in an order; more is put at the
// end of the configuration.
func newKeeping(t *testing.T, copies int, order []string, more string) *keeping {
	t.Helper()
	k := &keeping{t: t, dirs: make(map[string]string), config: filepath.Join(t.TempDir(), "canopy.yaml")}
	var c strings.Builder
	fmt.Fprintf(&c, "%suploads: {place: first, cleanup: 2s, copies: [{path: /, copies: 1}, {path: /kept, copies: %d}]}\nendpoints:\n", everything, copies)
	for _, name := range order {
		dir := rig.TempDir(t)
		k.dirs[name] = dir
		where := fmt.Sprintf("type: local, root: %q", dir)
		if name == "apache" {
			k.apache = rig.Apache(t, dir)
			where = fmt.Sprintf("type: dav, url: %q, access: proxy", k.apache.URL())
		}
		fmt.Fprintf(&c, "  - {name: %s, write: true, health: {every: 500ms}, %s}\n", name, where)
	}
	if err := os.WriteFile(k.config, []byte(c.String()+more), 0o600); err != nil {
		t.Fatal(err)
	}
	return k
}

// process is one canopy serve.
type process struct {
	*exec.Cmd
	base string
}

// serve runs the program.
func (k *keeping) serve() *process {
	k.t.Helper()
	log, err := os.CreateTemp(k.t.TempDir(), "log")
	if err != nil {
		k.t.Fatal(err)
	}
	p := &process{Cmd: exec.Command(binary(k.t), "serve", "-c", k.config)}
	p.Stderr = log
	if err := p.Start(); err != nil {
		k.t.Fatal(err)
	}
	said := func() string {
		b, err := os.ReadFile(log.Name())
		if err != nil {
			k.t.Error(err)
		}
		return string(b)
	}
	k.t.Cleanup(func() {
		p.kill()
		log.Close()
		if k.t.Failed() {
			k.t.Log(said())
		}
	})
	where := regexp.MustCompile(`"url":"(http://127\.0\.0\.1:[0-9]+)`)
	k.until("it serves", 20*time.Second, func() bool {
		found := where.FindStringSubmatch(said())
		if found != nil {
			p.base = found[1]
		}
		return found != nil
	})
	k.until("it is ready", 20*time.Second, func() bool { return p.ask(k.t, "GET", "/-/readyz", "") == "200" })
	return p
}

// kill ends it as nobody would want it to be.
func (p *process) kill() {
	if p.ProcessState == nil {
		_ = p.Process.Kill() // it may have ended by itself
		_ = p.Wait()
	}
}

// ask sends a request and returns the status, and what came if it was 200.
func (p *process) ask(t *testing.T, method, target, body string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, p.base+target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode == http.StatusOK && method == "GET" && !strings.HasPrefix(target, "/-/readyz") {
		return string(b)
	}
	return fmt.Sprint(resp.StatusCode)
}

// until waits for something to be so.
func (k *keeping) until(what string, limit time.Duration, is func() bool) {
	k.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(limit); !is(); <-tick.C {
		if time.Now().After(end) {
			k.t.Fatalf("after %v it is still not so that %s", limit, what)
		}
	}
}

// always looks for a while whether something is so.
func (k *keeping) always(what string, long time.Duration, is func() bool) {
	k.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(long); time.Now().Before(end); <-tick.C {
		if !is() {
			k.t.Fatalf("it is not so that %s", what)
		}
	}
}

// on returns how many of the directories have content at a path, and how many
// have anything.
func (k *keeping) on(path, content string) (equal, any int) {
	k.t.Helper()
	for _, dir := range k.dirs {
		b, err := os.ReadFile(filepath.Join(dir, path))
		if err == nil {
			any++
		}
		if err == nil && bytes.Equal(b, []byte(content)) {
			equal++
		}
	}
	return equal, any
}

func (k *keeping) isOn(path, content string, copies int) func() bool {
	return func() bool {
		equal, any := k.on(path, content)
		return equal == copies && any == copies
	}
}

// explained is what ?explain says of copies.
func (p *process) explained(t *testing.T, path string) string {
	t.Helper()
	var e struct{ Copies json.RawMessage }
	if err := json.Unmarshal([]byte(p.ask(t, "GET", path+"?explain", "")), &e); err != nil {
		t.Fatal(err)
	}
	return string(e.Copies)
}

func TestCopies(t *testing.T) {
	t.Parallel()
	for _, order := range [][]string{{"here", "apache", "there"}, {"apache", "here", "there"}} {
		t.Run(strings.Join(order, " "), func(t *testing.T) {
			t.Parallel()
			k := newKeeping(t, 2, order, "")
			p := k.serve()
			is := func(path, want string) func() bool { return func() bool { return p.ask(t, "GET", path, "") == want } }
			for path, want := range map[string]string{"/kept/": "201", "/other.txt": "201"} {
				method := map[bool]string{true: "MKCOL", false: "PUT"}[strings.HasSuffix(path, "/")]
				if got := p.ask(t, method, path, ""); got != want {
					t.Fatalf("%s %s: %s", method, path, got)
				}
			}
			one, two := content("one"), long
			if got := p.ask(t, "PUT", "/kept/f.txt", one); got != "201" {
				t.Fatal(got)
			}
			if got := p.explained(t, "/kept/f.txt"); got != `{"have":1,"wanted":2,"making":true}` {
				t.Errorf("at first: %s", got)
			}
			k.until("there are two copies", 20*time.Second, k.isOn("/kept/f.txt", one, 2))
			k.until("that is said", 20*time.Second, func() bool { return p.explained(t, "/kept/f.txt") == `{"have":2,"wanted":2,"making":false}` })
			newClient(t).says(p.ask(t, "GET", "/-/metrics", ""), "canopy_copies_made_total 1\n", "canopy_copies_wanted 0\n", "canopy_copies_failed_total 0\n")
			if got := p.explained(t, "/other.txt"); got != "" {
				t.Errorf("of another file: %s", got)
			}

			// Over it: from the answer on nobody sees the old file.
			if got := p.ask(t, "PUT", "/kept/f.txt", two); got != "204" {
				t.Fatal(got)
			}
			k.always("it is the new file", 5*time.Second, is("/kept/f.txt", two))
			k.until("there are two copies of it", 20*time.Second, k.isOn("/kept/f.txt", two, 2))
			if got := p.ask(t, "GET", "/kept/f.txt?explain", ""); strings.Contains(got, "diverged") {
				t.Error(got)
			}

			if got := p.ask(t, "DELETE", "/kept/f.txt", ""); got != "204" {
				t.Fatal(got)
			}
			k.always("it is gone", time.Second, is("/kept/f.txt", "404"))

			// Again and again, at different moments of the copying.
			large := strings.Repeat(long, 4)
			for i := range 10 {
				path := fmt.Sprintf("/kept/%d.bin", i)
				if got := p.ask(t, "PUT", path, large); got != "201" {
					t.Fatal(got)
				}
			}
			for i := range 10 {
				path := fmt.Sprintf("/kept/%d.bin", i)
				timer := time.NewTimer(700 * time.Millisecond)
				<-timer.C
				if i%2 == 0 {
					if got := p.ask(t, "DELETE", path, ""); got != "204" {
						t.Fatal(got)
					}
				} else if got := p.ask(t, "PUT", path, one); got != "204" {
					t.Fatal(got)
				}
			}
			for i := range 10 {
				path, copies := fmt.Sprintf("/kept/%d.bin", i), 2*(i%2)
				k.until(fmt.Sprintf("%s is on %d", path, copies), time.Minute, k.isOn(path, one, copies))
				if want := map[bool]string{true: "404", false: one}[copies == 0]; p.ask(t, "GET", path, "") != want {
					t.Errorf("%s is not what it should be", path)
				}
			}
			k.always("nothing comes back", 3*time.Second, func() bool { return k.isOn("/kept/f.txt", "", 0)() && k.isOn("/kept/4.bin", "", 0)() })
			k.until("nothing is left behind", 20*time.Second, func() bool {
				for _, dir := range k.dirs {
					if left, _ := os.ReadDir(filepath.Join(dir, ".canopy-uploads")); len(left) > 0 {
						return false
					}
				}
				return true
			})
		})
	}
}

// TestCopiesLater: an endpoint is down when the file comes.
func TestCopiesLater(t *testing.T) {
	t.Parallel()
	k := newKeeping(t, 3, []string{"here", "there", "apache"}, "lookup: {doubt: 1s}\n")
	p := k.serve()
	if got := p.ask(t, "MKCOL", "/kept", ""); got != "201" {
		t.Fatal(got)
	}
	k.apache.Stop()
	k.until("that is noticed", 20*time.Second, func() bool {
		return strings.Contains(p.ask(t, "GET", "/-/metrics", ""), `canopy_endpoint_condition{condition="down",endpoint="apache"} 1`)
	})
	one := content("one")
	k.until("nothing can be there any more", 20*time.Second, func() bool { return p.ask(t, "PUT", "/kept/f.txt", one) == "201" })
	k.until("there are two copies", 20*time.Second, k.isOn("/kept/f.txt", one, 2))
	k.until("a third one is missed", 20*time.Second, func() bool {
		m := p.ask(t, "GET", "/-/metrics", "")
		return strings.Contains(m, "canopy_copies_wanted 1\n") && !strings.Contains(m, "canopy_copies_failed_total 0\n")
	})
	if got := p.explained(t, "/kept/f.txt"); got != `{"have":2,"wanted":3,"making":true}` {
		t.Errorf("it says %s", got)
	}
	k.apache.Start()
	k.until("there are three", time.Minute, k.isOn("/kept/f.txt", one, 3))
}

// TestCopiesOutlive: a front end is killed before it has made a copy.
func TestCopiesOutlive(t *testing.T) {
	t.Parallel()
	server := rig.Redis(t)
	client, err := redis.NewClient(redis.Options{URL: server.URL()})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ledger := redis.NewLedger(client, "graves")
	notes := func() (n int) {
		all, err := ledger.All(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for key := range all {
			if strings.HasPrefix(key, "copy ") {
				n++
			}
		}
		return n
	}
	k := newKeeping(t, 2, []string{"here", "apache", "there"}, fmt.Sprintf("cache: {redis: %q}\n", server.URL()))
	first, second := k.serve(), k.serve()
	if got := first.ask(t, "MKCOL", "/kept", ""); got != "201" {
		t.Fatal(got)
	}
	one := content("one")
	if got := first.ask(t, "PUT", "/kept/f.txt", one); got != "201" {
		t.Fatal(got)
	}
	k.until("it is noted", 2*time.Second, func() bool { return notes() == 1 })
	first.kill()
	if equal, _ := k.on("/kept/f.txt", one); equal != 1 {
		t.Fatalf("there are %d copies before", equal)
	}
	k.until("there are two copies", time.Minute, k.isOn("/kept/f.txt", one, 2))
	k.until("that is said", time.Minute, func() bool { return second.explained(t, "/kept/f.txt") == `{"have":2,"wanted":2,"making":false}` })
	k.until("nothing is noted", time.Minute, func() bool { return notes() == 0 })
}
