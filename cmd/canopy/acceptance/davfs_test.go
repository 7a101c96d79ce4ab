package acceptance

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"canopy/plugins/plugintest/rig"
)

// TestDavfs2 mounts each endpoint's part of a federation, where the machine
// lets anybody mount: it needs FUSE and root.
//
// Directories are not listed: davfs2 1.6.1 answers readdir with EINVAL on a
// kernel of today, for a mount of Apache itself as well.
func TestDavfs2(t *testing.T) {
	fuse, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil || os.Geteuid() != 0 {
		t.Logf("nothing can be mounted here: %v", err)
		return
	}
	fuse.Close()
	w := federateWritable(t, "redirect") // davfs2 follows nothing, and is not sent anywhere
	for _, name := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // umount looks every three seconds whether it may go
			c, of := newClient(t), &writable{t, w.base, w.dirs}
			c.mounted(w.base+"/"+name, "printf one >at/f && printf two >>at/f && cat at/f >seen && mkdir at/d && mv at/f at/d/g && printf other >at/h")
			c.holds("seen", "onetwo")
			of.is(name, "/f", "")
			of.is(name, "/d/g", "onetwo")
			of.is(name, "/h", "other")
			c.mounted(w.base+"/"+name, "printf another >at/h && rm at/d/g && rmdir at/d")
			of.is(name, "/h", "another")
			of.is(name, "/d", "")
		})
	}
}

// mounted runs a shell command while a directory of the federation is mounted at
// "at". What was written has been sent when it returns.
func (c *client) mounted(url, command string) {
	c.t.Helper()
	// davfs2 looks into its folders as a user of its own.
	dir := rig.TempDir(c.t)
	at, cache, config := filepath.Join(dir, "at"), filepath.Join(dir, "cache"), filepath.Join(dir, "davfs2.conf")
	write(c.t, config, "ask_auth 0\nuse_locks 1\ndelay_upload 0\ncache_dir "+cache+"\n")
	if err := errors.Join(os.Chmod(config, 0o600), os.Mkdir(at, 0o755), os.Mkdir(cache, 0o755), os.Chmod(cache, 0o777)); err != nil {
		c.t.Fatal(err)
	}
	c.run("mount", "-t", "davfs", "-o", "rw,conf="+config, url, at)
	out, err := c.try("sh", "-c", strings.ReplaceAll(command, "at/", at+"/"))
	c.run("umount", at)
	if err != nil {
		c.t.Errorf("%s: %v\n%s", command, err, out)
	}
}
