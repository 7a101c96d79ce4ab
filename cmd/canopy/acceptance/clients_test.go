package acceptance

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// escaped is a path as it stands in a URL.
func escaped(path string) string { return (&url.URL{Path: path}).EscapedPath() }

func TestClients(t *testing.T) {
	servers := start(t)
	_, base := federate(t, servers)
	dav := "dav" + strings.TrimPrefix(base, "http")

	for name := range servers {
		file, size := base+"/"+name+"/file.txt", fmt.Sprint(len(content(name)))
		t.Run(name, func(t *testing.T) {
			t.Run("curl", func(t *testing.T) {
				c := newClient(t)
				c.run("curl", "-fsSLO", file)
				c.holds("file.txt", content(name))
				c.says(c.run("curl", "-fsSI", file), "Content-Length: "+size, "Last-Modified: Sat, 14 Mar 2026 15:09:26 GMT")
				c.run("curl", "-fsSL", "-r", "8-19", "-o", "part", file)
				c.holds("part", content(name)[8:20])
			})
			t.Run("awkward names", func(t *testing.T) {
				c := newClient(t)
				for _, a := range awkward[name] {
					c.run("curl", "-fsSL", "-o", "f", base+escaped("/"+name+"/"+a))
					c.holds("f", content(a))
				}
			})
			t.Run("wget", func(t *testing.T) {
				c := newClient(t)
				c.run("wget", "-q", file)
				c.holds("file.txt", content(name))
			})
			t.Run("davix", func(t *testing.T) {
				c := newClient(t)
				c.says(c.run("davix-ls", "-l", base+"/"+name+"/"), "file.txt", "sub", size, "with space.txt")
				c.run("davix-get", file, "got")
				c.holds("got", content(name))
				c.says(c.run("davix-ls", "-r", "10", dav+"/"+name+"/"), "deeper.txt")
				c.run("davix-get", base+escaped("/"+name+"/with space.txt"), "space")
				c.holds("space", content("with space.txt"))
			})
			t.Run("gfal2", func(t *testing.T) {
				c := newClient(t)
				c.says(c.run("gfal-ls", "-l", dav+"/"+name+"/"), "file.txt", "sub", size)
				c.says(c.run("gfal-stat", dav+"/"+name+"/file.txt"), "Size: "+size, "regular file")
				c.says(c.run("gfal-stat", dav+"/"+name+"/sub"), "directory")
				c.run("gfal-copy", dav+"/"+name+"/file.txt", "file://"+c.dir+"/got")
				c.holds("got", content(name))
				if out, err := c.try("gfal-stat", dav+"/"+name+"/none"); err == nil || !strings.Contains(out, "No such file") {
					t.Errorf("a missing file: %v, %s", err, out)
				}
			})
			t.Run("rclone", func(t *testing.T) {
				c := newClient(t)
				remote := fmt.Sprintf(":webdav,url='%s',vendor=other:", base)
				c.says(c.run("rclone", "lsl", remote+name), "file.txt", "sub/deeper.txt", size, "2026-03-14 15:09:26")
				c.run("rclone", "copy", remote+name+"/sub", c.dir+"/sub")
				c.holds("sub/deeper.txt", content(name+"/sub"))
				c.run("rclone", "copy", remote+name, c.dir+"/tree")
				for _, a := range awkward[name] {
					c.holds("tree/"+a, content(a))
				}
				c.run("rclone", "check", "--download", remote+name, c.dir+"/tree")
			})
			t.Run("xrdcp", func(t *testing.T) {
				c := newClient(t)
				c.run("xrdcp", "--allow-http", "-s", file, "got")
				c.holds("got", content(name))
			})
			t.Run("aria2", func(t *testing.T) {
				c := newClient(t)
				if name == "xrootd" {
					// XRootD 5.5 refuses the Want-Digest that aria2 sends, and
					// so it does without us.
					if out, err := c.try("aria2c", "-q", "-o", "direct", servers[name].URL()+"/xrootd/file.txt"); err == nil {
						t.Fatalf("aria2 and XRootD get along now: remove this exception\n%s", out)
					}
					return
				}
				c.run("aria2c", "-q", "-o", "got", file)
				c.holds("got", content(name))
				c.run("aria2c", "-q", "--follow-metalink=mem", file+"?metalink")
				c.holds("file.txt", content(name))
			})
			t.Run("cadaver", func(t *testing.T) {
				c := newClient(t)
				write(t, c.dir+"/.cadaverrc", "open "+base+"/"+name+"/\nls\nget file.txt got\nls sub\nquit\n")
				c.says(c.run("cadaver", "-r", c.dir+"/.cadaverrc"), "file.txt", "deeper.txt", size)
				c.holds("got", content(name))
			})
		})
	}
}

func TestChecksums(t *testing.T) {
	servers := start(t)
	_, base := federate(t, storages{"xrootd": servers["xrootd"]})
	dav := "dav" + strings.TrimPrefix(base, "http")
	c := newClient(t)
	sum := adler(content("xrootd"))
	c.says(strings.ToLower(c.run("curl", "-fsSI", "-H", "Want-Digest: adler32", base+"/xrootd/file.txt")), "digest: adler32="+sum)
	c.says(c.run("gfal-sum", dav+"/xrootd/file.txt", "ADLER32"), sum)
	c.run("gfal-copy", "-K", "ADLER32:"+sum, dav+"/xrootd/file.txt", "file://"+c.dir+"/got")
	c.holds("got", content("xrootd"))
}

func TestReplicas(t *testing.T) {
	servers := start(t)
	_, base := federate(t, servers)
	c := newClient(t)
	out := c.run("curl", "-fsS", base+"/all/shared.txt?replicas")
	for name, s := range servers {
		c.says(out, name, s.URL()+"/all/shared.txt")
	}
	c.says(c.run("curl", "-fsS", base+"/all/?format=json"), `"shared.txt"`, "apache", "nginx", "rclone", "xrootd")
	c.says(c.run("curl", "-fsS", "-X", "PROPFIND", "-H", "Depth: 1", base+"/"), "/apache/", "/nginx/", "/rclone/", "/xrootd/", "/all/", "/two/")
}

// When the first replica has died and nobody knows yet, davix, gfal2 and
// aria2 go on with the next.
func TestFailover(t *testing.T) {
	for _, name := range []string{"davix", "gfal2", "xrdcp", "aria2"} {
		t.Run(name, func(t *testing.T) {
			servers := start(t)
			servers = storages{"apache": servers["apache"], "nginx": servers["nginx"]}
			_, base := federate(t, servers, "select: [weight]")
			c := newClient(t)
			file := base + "/two/twice.txt"
			c.run("curl", "-fsS", file+"?replicas") // waits for both
			if out := c.run("curl", "-fsSI", "-X", "GET", file); !strings.Contains(out, "Location: "+servers["apache"].URL()) {
				t.Fatalf("the first replica is not the one to die:\n%s", out)
			}
			servers["apache"].Stop()
			switch name {
			case "davix":
				c.run("davix-get", file, "got")
			case "gfal2":
				c.run("gfal-copy", "-D", "HTTP PLUGIN:METALINK=true", file, "file://"+c.dir+"/got")
			case "xrdcp":
				c.run("xrdcp", "--allow-http", "-s", file, "got")
			case "aria2":
				c.run("aria2c", "-q", "-o", "got", file)
			}
			c.holds("got", content("twice"))
		})
	}
}
