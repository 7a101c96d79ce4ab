package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// apacheStart bounds how long Apache may take to answer.
const apacheStart = 20 * time.Second

// apache serves dir by WebDAV until stop is called.
func (b *bench) apache(ctx context.Context, dir string) (addr string, stop func(), err error) {
	binary, err := installed("apache2", "apache2")
	if err != nil {
		return "", nil, err
	}
	if addr, err = free(); err != nil {
		return "", nil, err
	}
	root, err := os.MkdirTemp(b.dir, "apache-")
	if err != nil {
		return "", nil, err
	}
	owner := ""
	if os.Geteuid() == 0 { // as whom it refuses to serve
		if owner, err = give("www-data", root, dir); err != nil {
			return "", nil, err
		}
		if err := os.Chmod(b.dir, 0o711); err != nil {
			return "", nil, err
		}
	}
	config := filepath.Join(root, "httpd.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, apacheConfig, addr, root, dir, owner), 0o644); err != nil {
		return "", nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, binary, "-D", "FOREGROUND", "-d", root, "-f", config)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // so that its children go, too
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		cancel()
		return "", nil, err
	}
	stop = func() {
		cancel()
		_ = cmd.Wait() // it was told to go
	}
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			return addr, stop, c.Close()
		}
		if time.Since(began) > apacheStart {
			stop()
			return "", nil, fmt.Errorf("apache does not answer: %w", err)
		}
	}
}

const apacheConfig = `ServerName localhost
Listen %[1]s
ServerRoot %[2]s
PidFile %[2]s/pid
ErrorLog %[2]s/errors
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule dav_module /usr/lib/apache2/modules/mod_dav.so
LoadModule dav_fs_module /usr/lib/apache2/modules/mod_dav_fs.so
DavLockDB %[2]s/locks
DocumentRoot %[3]s
EnableSendfile On
%[4]s
<Directory %[3]s>
Dav On
Require all granted
</Directory>
`

// give has a user own directories, and what is in them, and returns the lines of
// Apache's configuration that make it that user.
func give(name string, dirs ...string) (lines string, err error) {
	u, err := user.Lookup(name)
	if err != nil {
		return "", err
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return "", err
	}
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return "", err
		}
		for _, e := range entries {
			if err := os.Chown(filepath.Join(dir, e.Name()), uid, -1); err != nil {
				return "", err
			}
		}
		if err := os.Chown(dir, uid, -1); err != nil {
			return "", err
		}
	}
	return "User " + name + "\nGroup " + name, nil
}

// free returns an address at which nobody listens.
func free() (addr string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// installed returns where a program is; debian is the package that has it.
func installed(name, debian string) (string, error) {
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin") {
		at := filepath.Join(dir, name)
		if info, err := os.Stat(at); err == nil && info.Mode()&0o111 != 0 {
			return at, nil
		}
	}
	return "", fmt.Errorf("%s is not installed; it is in the Debian package %s", name, debian)
}
