// Package rig runs real servers for tests and breaks the network in front of
// them.
//
// Apache, Nginx, Rclone, XRootD, Lighttpd, Caddy, Python and Redis each start
// the installed program on a free port, over a directory, and return once it
// answers:
//
//	s := rig.Apache(t, rig.TempDir(t))          // WebDAV over an empty directory
//	s := rig.Nginx(t, dir, rig.Plain())         // index pages and files only
//	os.WriteFile(filepath.Join(s.Dir(), "a"), …)
//	http.Get(s.URL() + "/a")
//
// A server dies with its test, whole process group and all, even if the test
// binary is killed. What it logged is printed when the test has failed. Stop,
// Start, Freeze and Thaw make it crash, come back on the same port, and hang.
// A program that is not installed fails the test and names its Debian package;
// nothing is ever skipped.
//
// As root, Apache and XRootD run as their own users, because they refuse to be
// root; the served directory then becomes theirs at every start (and by
// Server.Adopt for what a test adds later and wants the server to change). It
// must be reachable for them, which t.TempDir is not and TempDir is.
//
// Toxic is a TCP proxy in this process that delays, hangs, resets, cuts or
// refuses connections on their way to any server.
package rig

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// startup bounds how long a server may take to answer for the first time. It
// is long because test machines are busy, and only ever used up by failures.
const startup = 60 * time.Second

// software is what there is to know about one program.
type software struct {
	name, binary string
	// debian is the package that has the binary.
	debian string
	// users are the accounts to run as, first one that exists, when started
	// by root; none means as the caller.
	users []string
	// plainOnly marks programs which cannot do WebDAV here.
	plainOnly bool
	// arguments writes the configuration and returns the command line.
	arguments func(s *Server) []string
	// ready asks the server for a sign of life.
	ready func(ctx context.Context, s *Server) error
	url   func(s *Server) string
}

// Server is a running server. Its methods are for the test's own goroutine.
type Server struct {
	t     testing.TB
	soft  software
	path  string
	dir   string
	work  string
	port  int
	plain bool
	login *login
	extra []string
	// thirdParty is whether it copies from and to others.
	thirdParty bool
	account    *syscall.Credential
	process    *process
	everDone   bool
}

type login struct{ user, password string }

// Option changes how a server is set up.
type Option func(*Server)

// Plain makes a web server without WebDAV, with index pages.
func Plain() Option { return func(s *Server) { s.plain = true } }

// Basic makes Apache, Nginx or Rclone ask for this user and password.
func Basic(user, password string) Option {
	return func(s *Server) { s.login = &login{user, password} }
}

// Extra adds lines to the served site's section of the configuration file, or
// arguments to the command line of programs that have no such file.
func Extra(lines ...string) Option {
	return func(s *Server) { s.extra = append(s.extra, lines...) }
}

// TempDir returns a new empty directory that every account of the machine can
// reach, and removes it when the test ends.
func TempDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "canopy-rig-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func launch(t testing.TB, dir string, soft software, opts []Option) *Server {
	t.Helper()
	s := &Server{t: t, soft: soft, dir: dir, work: TempDir(t), plain: soft.plainOnly}
	for _, o := range opts {
		o(s)
	}
	var err error
	if s.path, err = exec.LookPath(soft.binary); err != nil {
		t.Fatalf("rig: %s is not installed; on Debian: apt-get install %s", soft.binary, soft.debian)
	}
	if s.account, err = credential(soft.users); err != nil {
		t.Fatalf("rig: %v", err)
	}
	s.checkReachable()
	if s.thirdParty && soft.name != "xrootd" {
		s.refuse("ThirdParty")
	}
	t.Cleanup(s.finish)
	s.Start()
	return s
}

// URL returns where the server is, without a slash at the end.
func (s *Server) URL() string { return s.soft.url(s) }

// Addr returns the server's host and port.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// Dir returns the directory that is served.
func (s *Server) Dir() string { return s.dir }

// Start starts the server again after Stop, on the same port, and returns once
// it answers.
func (s *Server) Start() {
	s.t.Helper()
	if s.process != nil {
		s.t.Fatalf("rig: %s is already running", s.soft.name)
	}
	// Somebody else may take the port between its choice and its use, so the
	// very first start may try again elsewhere.
	attempts := 1
	if !s.everDone {
		attempts = 4
	}
	var err error
	for range attempts {
		if !s.everDone {
			s.port = freePort(s.t)
		}
		if err = s.start(); err == nil {
			s.everDone = true
			return
		}
	}
	s.t.Fatalf("rig: %s did not start: %v\n%s", s.soft.name, err, s.log())
}

func (s *Server) start() error {
	args := s.soft.arguments(s)
	// The log must be the server's own, because some open it by its name.
	log, err := os.OpenFile(s.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	s.Adopt()
	p, err := spawn(s.path, args, s.work, log, s.account)
	if err != nil {
		return err
	}
	s.process = p
	ctx, cancel := context.WithTimeout(s.t.Context(), startup)
	defer cancel()
	err = poll(ctx, p.done, func() error { return s.soft.ready(ctx, s) })
	if err != nil {
		p.kill()
		s.process = nil
	}
	return err
}

// Stop kills the server at once, as a crash would, and returns when its port
// refuses connections.
func (s *Server) Stop() {
	s.t.Helper()
	if s.process == nil {
		s.t.Fatalf("rig: %s is not running", s.soft.name)
	}
	s.process.kill()
	s.process = nil
	ctx, cancel := context.WithTimeout(s.t.Context(), startup)
	defer cancel()
	err := poll(ctx, nil, func() error {
		c, err := net.Dial("tcp", s.Addr())
		if err == nil {
			c.Close()
			return errors.New("the port still accepts")
		}
		return nil
	})
	if err != nil {
		s.t.Fatalf("rig: %s did not stop: %v", s.soft.name, err)
	}
}

// Freeze suspends the server: the kernel still accepts connections for it, and
// nothing ever answers. Thaw ends that.
func (s *Server) Freeze() {
	s.t.Helper()
	s.signal(syscall.SIGSTOP)
	ctx, cancel := context.WithTimeout(s.t.Context(), startup)
	defer cancel()
	if err := poll(ctx, s.process.done, s.process.stopped); err != nil {
		s.t.Fatalf("rig: %s does not freeze: %v", s.soft.name, err)
	}
}

// Thaw lets a frozen server go on.
func (s *Server) Thaw() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) {
	s.t.Helper()
	if s.process == nil {
		s.t.Fatalf("rig: %s is not running", s.soft.name)
	}
	if err := s.process.signal(sig); err != nil {
		s.t.Fatalf("rig: %s: %v", s.soft.name, err)
	}
}

// Adopt makes all that lies in the served directory the property of the
// account under which the server runs.
func (s *Server) Adopt() {
	s.t.Helper()
	if s.account == nil {
		return
	}
	for _, root := range []string{s.dir, s.work} {
		if root == "" {
			continue
		}
		err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			return os.Lchown(path, int(s.account.Uid), int(s.account.Gid))
		})
		if err != nil {
			s.t.Fatalf("rig: %v", err)
		}
	}
}

func (s *Server) finish() {
	if s.process != nil {
		s.process.kill()
		s.process = nil
	}
	if s.t.Failed() {
		s.t.Logf("rig: log of %s:\n%s", s.soft.name, s.log())
	}
}

func (s *Server) logFile() string { return filepath.Join(s.work, "log") }

// log returns the end of the server's log.
func (s *Server) log() []byte {
	b, err := os.ReadFile(s.logFile())
	if err != nil {
		return []byte(err.Error())
	}
	const most = 8 << 10
	return b[max(0, len(b)-most):]
}

// file writes a configuration file and returns its path.
func (s *Server) file(name, content string) string {
	s.t.Helper()
	path := filepath.Join(s.work, name)
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		s.t.Fatalf("rig: %v", err)
	}
	return path
}

// refuse ends the test over an option that this server cannot honour.
func (s *Server) refuse(what string) {
	s.t.Helper()
	s.t.Fatalf("rig: %s cannot do %s", s.soft.name, what)
}

// checkReachable spares the reader of a test a puzzling 403.
func (s *Server) checkReachable() {
	s.t.Helper()
	if s.account == nil || s.dir == "" {
		return
	}
	for d := filepath.Dir(s.dir); ; d = filepath.Dir(d) {
		info, err := os.Stat(d)
		if err != nil {
			s.t.Fatalf("rig: %v", err)
		}
		if info.Mode().Perm()&0o001 == 0 {
			s.t.Fatalf("rig: %s cannot enter %s; serve a rig.TempDir instead", s.soft.name, d)
		}
		if d == filepath.Dir(d) {
			return
		}
	}
}

// credential returns the first of users that exists, for a process started by
// root; nil for everybody else.
func credential(users []string) (*syscall.Credential, error) {
	if os.Getuid() != 0 || len(users) == 0 {
		return nil, nil
	}
	for _, name := range users {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			return nil, err
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			return nil, err
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, fmt.Errorf("none of the accounts %v exists", users)
}

// freePort returns a port nobody listens on, from below the range which the
// kernel gives to outgoing connections and to listeners on port 0.
func freePort(t testing.TB) int {
	t.Helper()
	for range 200 {
		port := 10000 + rand.IntN(22000)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("rig: no free port between 10000 and 32000")
	return 0
}
