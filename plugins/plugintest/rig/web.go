package rig

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Lighttpd serves dir by lighttpd with index pages.
func Lighttpd(t testing.TB, dir string, opts ...Option) *Server {
	t.Helper()
	return launch(t, dir, software{
		name: "lighttpd", binary: "lighttpd", debian: "lighttpd", plainOnly: true,
		arguments: func(s *Server) []string {
			s.withoutLogin()
			conf := fmt.Sprintf(`server.modules = ( "mod_dirlisting" )
server.document-root = %[1]q
server.bind = "127.0.0.1"
server.port = %[2]d
server.errorlog = %[3]q
server.upload-dirs = ( %[4]q )
dir-listing.activate = "enable"
dir-listing.encoding = "utf-8"
`, s.dir, s.port, s.logFile(), s.work)
			return []string{"-D", "-f", s.file("lighttpd.conf", conf+strings.Join(s.extra, "\n")+"\n")}
		},
		ready: answersHTTP, url: httpURL,
	}, opts)
}

// Caddy serves dir by Caddy's file server with index pages.
func Caddy(t testing.TB, dir string, opts ...Option) *Server {
	t.Helper()
	return launch(t, dir, software{
		name: "caddy", binary: "caddy", debian: "caddy", plainOnly: true,
		arguments: func(s *Server) []string {
			s.withoutLogin()
			conf := fmt.Sprintf(`{
	admin off
	auto_https off
}
http://:%[1]d {
	bind 127.0.0.1
	root * %[2]q
	file_server browse
	%[3]s
}
`, s.port, s.dir, strings.Join(s.extra, "\n\t"))
			return []string{"run", "--adapter", "caddyfile", "--config", s.file("Caddyfile", conf)}
		},
		ready: answersHTTP, url: httpURL,
	}, opts)
}

// Python serves dir by Python's http.server with index pages.
func Python(t testing.TB, dir string, opts ...Option) *Server {
	t.Helper()
	return launch(t, dir, software{
		name: "python", binary: "python3", debian: "python3", plainOnly: true,
		arguments: func(s *Server) []string {
			s.withoutLogin()
			args := []string{"-u", "-m", "http.server", strconv.Itoa(s.port), "--bind", "127.0.0.1", "--directory", s.dir}
			return append(args, s.extra...)
		},
		ready: answersHTTP, url: httpURL,
	}, opts)
}

// Redis runs a Redis server that keeps nothing on disk. It has no directory;
// its URL is what the configuration's `cache.redis` takes.
func Redis(t testing.TB, opts ...Option) *Server {
	t.Helper()
	return launch(t, "", software{
		name: "redis", binary: "redis-server", debian: "redis-server", plainOnly: true,
		arguments: func(s *Server) []string {
			s.withoutLogin()
			args := []string{"--port", strconv.Itoa(s.port), "--bind", "127.0.0.1",
				"--save", "", "--appendonly", "no", "--dir", s.work}
			return append(args, s.extra...)
		},
		ready: answersRedis,
		url:   func(s *Server) string { return "redis://" + s.Addr() + "/0" },
	}, opts)
}

func (s *Server) withoutLogin() {
	s.t.Helper()
	if s.login != nil {
		s.refuse("Basic")
	}
}

// answersRedis reports success on any reply to PING, a demand for a password
// included.
func answersRedis(ctx context.Context, s *Server) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.Addr())
	if err != nil {
		return err
	}
	defer c.Close()
	if deadline, ok := ctx.Deadline(); ok {
		c.SetDeadline(deadline)
	}
	if _, err := c.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	if err == nil && strings.HasPrefix(line, "-LOADING") {
		return os.ErrDeadlineExceeded
	}
	return err
}
