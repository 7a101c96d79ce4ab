package acceptance

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"canopy/plugins/plugintest/rig"
)

// writable is a federation that is written to, of one endpoint of each kind.
type writable struct {
	t    *testing.T
	base string
	dirs map[string]string // what each endpoint has, by its name
}

// kinds are its endpoints, each at a directory of its own name.
var kinds = []string{"apache", "nginx", "rclone", "xrootd", "local"}

// federateWritable serves one whose bytes go as access says, where the endpoint
// can be reached by clients.
func federateWritable(t *testing.T, access string) *writable {
	t.Helper()
	w := &writable{t: t, dirs: make(map[string]string)}
	var c strings.Builder
	c.WriteString(everything + "endpoints:\n")
	for _, name := range kinds {
		dir := rig.TempDir(t)
		w.dirs[name] = dir
		where := fmt.Sprintf("type: local, root: %q", dir)
		if run := servers[name]; run != nil {
			where = fmt.Sprintf("type: dav, url: %q, access: %s", run(t, dir).URL(), access)
		}
		fmt.Fprintf(&c, "  - {name: %s, mount: /%s, write: true, %s}\n", name, name, where)
	}
	_, w.base = serve(t, c.String())
	return w
}

// servers run what serves a directory.
var servers = map[string]func(testing.TB, string, ...rig.Option) *rig.Server{
	"apache": rig.Apache, "nginx": rig.Nginx, "rclone": rig.Rclone, "xrootd": rig.XRootD,
}

// everything may be done by anybody.
const everything = `listen: 127.0.0.1:0
access:
  - {path: /, read: [anyone], list: [anyone], write: [anyone], delete: [anyone]}
`

// is checks what is at a path below an endpoint, for clients of the federation
// and on its disk; "" is nothing.
func (w *writable) is(name, path, want string) {
	w.t.Helper()
	resp, err := http.Get(w.base + "/" + name + escaped(path))
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		w.t.Fatal(err)
	case want == "" && resp.StatusCode != http.StatusNotFound, want != "" && (resp.StatusCode != http.StatusOK || string(body) != want):
		w.t.Errorf("%s%s: %s with %d bytes, not the %d that it should be", name, path, resp.Status, len(body), len(want))
	}
	if b, err := os.ReadFile(filepath.Join(w.dirs[name], path)); string(b) != want || want != "" && err != nil {
		w.t.Errorf("%s%s on disk: %d bytes (%v), not the %d that it should be", name, path, len(b), err, len(want))
	}
}

// judge runs a program whose exit status says nothing.
func (c *client) judge(name string, args ...string) {
	c.t.Helper()
	if out, err := c.try(name, args...); err != nil {
		c.t.Logf("%s: %v\n%s", name, err, out)
	}
}

// long is more than curl sends without being told to go on.
var long = strings.Repeat("a long file\n", 200_000)

func TestWriting(t *testing.T) {
	for _, access := range []string{"redirect", "proxy"} {
		t.Run(access, func(t *testing.T) {
			w := federateWritable(t, access)
			for _, name := range kinds {
				for client, run := range map[string]func(*client, *writable, string, bool){
					"curl": writeCurl, "davix": writeDavix, "gfal2": writeGfal, "rclone": writeRclone, "cadaver": writeCadaver, "xrdcp": writeXrdcp,
				} {
					t.Run(name+"/"+client, func(t *testing.T) {
						of := &writable{t, w.base, w.dirs}
						run(newClient(t), of, name, access == "redirect" && name != "local")
					})
				}
			}
		})
	}
}

func writeCurl(c *client, w *writable, name string, redirected bool) {
	at := w.base + "/" + name
	write(c.t, c.dir+"/one", content("one"))
	write(c.t, c.dir+"/two", content("two"))
	write(c.t, c.dir+"/long", long)
	c.run("curl", "-fsS", "-H", "Expect:", "-T", "one", at+"/curl.txt")
	w.is(name, "/curl.txt", content("one"))
	c.run("curl", "-fsSL", "--http1.1", "-T", "two", at+"/curl.txt")
	w.is(name, "/curl.txt", content("two"))
	c.run("curl", "-fsSL", "-T", "long", at+"/long.txt")
	w.is(name, "/long.txt", long)
	c.run("curl", "-fsSL", "-H", "Expect:", "-T", "one", at+"/long.txt")
	w.is(name, "/long.txt", content("one"))
	c.run("curl", "-fsSL", "-H", "Expect: 100-continue", "-T", "two", at+escaped("/with space.txt"))
	w.is(name, "/with space.txt", content("two"))
	// By itself curl asks where to send what it uploads. If it then does not
	// follow, it has stored nothing, and only the status tells.
	status := c.run("curl", "-fsS", "-o", "answer", "-w", "%{http_code}", "--http1.1", "-T", "one", at+"/asked.txt")
	if redirected {
		if status != "307" {
			c.t.Errorf("without -L: %s", status)
		}
		w.is(name, "/asked.txt", "")
	} else {
		w.is(name, "/asked.txt", content("one"))
	}
	if out, err := c.try("curl", "-fsS", "-T", "one", at+"/no/where.txt"); err == nil || !strings.Contains(out, "409") {
		c.t.Errorf("without a directory: %v %s", err, out)
	}
	c.run("curl", "-fsS", "-X", "MKCOL", at+"/curl")
	c.run("curl", "-fsS", "-X", "MOVE", "-H", "Destination: "+at+"/curl/moved.txt", at+"/curl.txt")
	w.is(name, "/curl.txt", "")
	w.is(name, "/curl/moved.txt", content("two"))
	c.run("curl", "-fsS", "-X", "COPY", "-H", "Destination: "+at+"/curl/copied.txt", at+"/curl/moved.txt")
	w.is(name, "/curl/copied.txt", content("two"))
	c.run("curl", "-fsS", "-X", "DELETE", at+"/long.txt")
	w.is(name, "/long.txt", "")
	c.run("curl", "-fsS", "-X", "DELETE", at+"/curl/")
	w.is(name, "/curl/moved.txt", "")
	w.is(name, "/curl", "")
}

func writeDavix(c *client, w *writable, name string, _ bool) {
	at := w.base + "/" + name
	write(c.t, c.dir+"/one", content("one"))
	write(c.t, c.dir+"/long", long)
	c.run("davix-mkdir", at+"/davix")
	c.run("davix-put", "one", at+"/davix/f.txt")
	w.is(name, "/davix/f.txt", content("one"))
	c.run("davix-put", "long", at+"/davix/f.txt")
	w.is(name, "/davix/f.txt", long)
	c.run("davix-put", "--no-100-continue", "one", at+"/davix/f.txt")
	w.is(name, "/davix/f.txt", content("one"))
	// davix-mv ends with 255 whatever the server says.
	c.judge("davix-mv", at+"/davix/f.txt", at+"/davix/g.txt")
	w.is(name, "/davix/f.txt", "")
	w.is(name, "/davix/g.txt", content("one"))
	c.run("davix-rm", at+"/davix/g.txt")
	w.is(name, "/davix/g.txt", "")
}

func writeGfal(c *client, w *writable, name string, _ bool) {
	at := "dav" + strings.TrimPrefix(w.base, "http") + "/" + name
	write(c.t, c.dir+"/one", content("one"))
	write(c.t, c.dir+"/long", long)
	c.run("gfal-mkdir", at+"/gfal")
	c.run("gfal-copy", "file://"+c.dir+"/one", at+"/gfal/f.txt")
	w.is(name, "/gfal/f.txt", content("one"))
	c.run("gfal-copy", "-f", "file://"+c.dir+"/long", at+"/gfal/f.txt")
	w.is(name, "/gfal/f.txt", long)
	c.run("gfal-rename", at+"/gfal/f.txt", at+"/gfal/g.txt")
	w.is(name, "/gfal/f.txt", "")
	w.is(name, "/gfal/g.txt", long)
	c.run("gfal-rm", at+"/gfal/g.txt")
	w.is(name, "/gfal/g.txt", "")
	c.run("gfal-rm", "-r", at+"/gfal")
}

func writeRclone(c *client, w *writable, name string, _ bool) {
	remote := fmt.Sprintf(":webdav,url='%s',vendor=other:%s/", w.base, name)
	write(c.t, c.dir+"/tree/one.txt", content("one"))
	write(c.t, c.dir+"/tree/sub/two.txt", content("two"))
	c.run("rclone", "copy", c.dir+"/tree", remote+"rclone")
	w.is(name, "/rclone/one.txt", content("one"))
	w.is(name, "/rclone/sub/two.txt", content("two"))
	write(c.t, c.dir+"/tree/one.txt", long)
	if err := os.Remove(c.dir + "/tree/sub/two.txt"); err != nil {
		c.t.Fatal(err)
	}
	c.run("rclone", "sync", c.dir+"/tree", remote+"rclone")
	w.is(name, "/rclone/one.txt", long)
	w.is(name, "/rclone/sub/two.txt", "")
	c.run("rclone", "moveto", remote+"rclone/one.txt", remote+"rclone/moved.txt")
	w.is(name, "/rclone/one.txt", "")
	w.is(name, "/rclone/moved.txt", long)
	c.run("rclone", "delete", remote+"rclone/moved.txt")
	w.is(name, "/rclone/moved.txt", "")
	c.run("rclone", "move", c.dir+"/tree", remote+"rclone")
	w.is(name, "/rclone/one.txt", long)
	c.run("rclone", "purge", remote+"rclone")
	w.is(name, "/rclone/one.txt", "")
}

func writeCadaver(c *client, w *writable, name string, _ bool) {
	write(c.t, c.dir+"/one.txt", content("one"))
	write(c.t, c.dir+"/long.txt", long)
	say := func(lines ...string) {
		c.t.Helper()
		write(c.t, c.dir+"/.cadaverrc", "open "+w.base+"/"+name+"/\n"+strings.Join(lines, "\n")+"\nquit\n")
		if out := c.run("cadaver", "-r", c.dir+"/.cadaverrc"); strings.Contains(out, "failed") {
			c.t.Errorf("%q: %s", lines, out)
		}
	}
	say("mkcol cadaver", "cd cadaver", "put one.txt f.txt")
	w.is(name, "/cadaver/f.txt", content("one"))
	say("cd cadaver", "put long.txt f.txt")
	w.is(name, "/cadaver/f.txt", long)
	say("cd cadaver", "move f.txt g.txt")
	w.is(name, "/cadaver/f.txt", "")
	w.is(name, "/cadaver/g.txt", long)
	say("cd cadaver", "delete g.txt")
	w.is(name, "/cadaver/g.txt", "")
	say("rmcol cadaver")
}

func writeXrdcp(c *client, w *writable, name string, _ bool) {
	at := w.base + "/" + name
	write(c.t, c.dir+"/one", content("one"))
	write(c.t, c.dir+"/long", long)
	c.run("xrdcp", "--allow-http", "-s", "one", at+"/xrdcp.txt")
	w.is(name, "/xrdcp.txt", content("one"))
	c.run("xrdcp", "--allow-http", "-s", "-f", "long", at+"/xrdcp.txt")
	w.is(name, "/xrdcp.txt", long)
	c.run("curl", "-fsS", "-X", "DELETE", at+"/xrdcp.txt")
	w.is(name, "/xrdcp.txt", "")
}
