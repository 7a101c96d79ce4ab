package rig

import (
	"context"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Apache serves dir by Apache httpd with mod_dav, or with Plain by
// mod_autoindex alone.
func Apache(t testing.TB, dir string, opts ...Option) *Server {
	t.Helper()
	return launch(t, dir, software{
		name: "apache", binary: "apache2", debian: "apache2",
		users: []string{"www-data", "nobody"}, arguments: apacheArguments,
		ready: answersHTTP, url: httpURL,
	}, opts)
}

func apacheArguments(s *Server) []string {
	var b strings.Builder
	modules := []string{"mpm_event", "authz_core", "dir", "autoindex", "headers", "mime"}
	if !s.plain {
		modules = append(modules, "dav", "dav_fs")
	}
	if s.login != nil {
		modules = append(modules, "authn_core", "authn_file", "authz_user", "auth_basic")
	}
	for _, m := range modules {
		fmt.Fprintf(&b, "LoadModule %s_module /usr/lib/apache2/modules/mod_%s.so\n", m, m)
	}
	fmt.Fprintf(&b, `ServerRoot %[1]q
DefaultRuntimeDir %[1]q
PidFile %[5]q
ServerName 127.0.0.1
Listen %[2]s
ErrorLog %[3]q
LogLevel warn
StartServers 1
ServerLimit 2
ThreadsPerChild 64
MaxRequestWorkers 128
MinSpareThreads 1
MaxSpareThreads 128
KeepAlive On
MaxKeepAliveRequests 0
KeepAliveTimeout 60
Timeout 300
DocumentRoot %[4]q
TypesConfig /dev/null
DirectoryIndex disabled
`, s.work, s.Addr(), s.logFile(), s.dir, filepath.Join(s.work, "pid"))
	if !s.plain {
		fmt.Fprintf(&b, "DavLockDB %q\n", filepath.Join(s.work, "locks"))
	}
	fmt.Fprintf(&b, "<Directory %q>\nOptions Indexes FollowSymLinks\nAllowOverride None\n", s.dir)
	b.WriteString("IndexOptions FancyIndexing NameWidth=* Charset=UTF-8\n")
	if !s.plain {
		b.WriteString("Dav On\n")
	}
	if s.login != nil {
		fmt.Fprintf(&b, "AuthType Basic\nAuthName rig\nAuthUserFile %q\nRequire valid-user\n", s.htpasswd())
	} else {
		b.WriteString("Require all granted\n")
	}
	for _, line := range s.extra {
		b.WriteString(line + "\n")
	}
	b.WriteString("</Directory>\n")
	return []string{"-DFOREGROUND", "-d", s.work, "-f", s.file("httpd.conf", b.String())}
}

// Nginx serves dir by nginx with its WebDAV modules, or with Plain by
// autoindex alone.
func Nginx(t testing.TB, dir string, opts ...Option) *Server {
	t.Helper()
	return launch(t, dir, software{
		name: "nginx", binary: "nginx", debian: "nginx libnginx-mod-http-dav-ext",
		arguments: nginxArguments, ready: answersHTTP, url: httpURL,
	}, opts)
}

func nginxArguments(s *Server) []string {
	const module = "/usr/lib/nginx/modules/ngx_http_dav_ext_module.so"
	var b strings.Builder
	if !s.plain {
		if _, err := os.Stat(module); err != nil {
			s.t.Fatalf("rig: %v; on Debian: apt-get install libnginx-mod-http-dav-ext", err)
		}
		fmt.Fprintf(&b, "load_module %s;\n", module)
	}
	if os.Getuid() == 0 {
		// The workers stay root, so that they may read and write whatever the
		// test has laid down.
		b.WriteString("user root;\n")
	}
	fmt.Fprintf(&b, `daemon off;
worker_processes 2;
pid %[1]q;
error_log %[2]q warn;
events { worker_connections 1024; }
http {
access_log off;
log_not_found off;
client_max_body_size 0;
`, filepath.Join(s.work, "pid"), s.logFile())
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&b, "%s_temp_path %q;\n", kind, filepath.Join(s.work, kind))
	}
	fmt.Fprintf(&b, "server {\nlisten %s;\nroot %q;\nlocation / {\nautoindex on;\n", s.Addr(), s.dir)
	if !s.plain {
		b.WriteString("dav_methods PUT DELETE MKCOL COPY MOVE;\ndav_ext_methods PROPFIND OPTIONS;\n")
	}
	if s.login != nil {
		fmt.Fprintf(&b, "auth_basic rig;\nauth_basic_user_file %q;\n", s.htpasswd())
	}
	for _, line := range s.extra {
		b.WriteString(line + "\n")
	}
	b.WriteString("}\n}\n}\n")
	return []string{"-p", s.work, "-e", s.logFile(), "-c", s.file("nginx.conf", b.String())}
}

// Rclone serves dir by "rclone serve webdav", or with Plain by "rclone serve
// http".
func Rclone(t testing.TB, dir string, opts ...Option) *Server {
	t.Helper()
	return launch(t, dir, software{
		name: "rclone", binary: "rclone", debian: "rclone",
		arguments: rcloneArguments, ready: answersHTTP, url: httpURL,
	}, opts)
}

func rcloneArguments(s *Server) []string {
	protocol := "webdav"
	if s.plain {
		protocol = "http"
	}
	// Without a directory cache, so that files laid down behind its back show.
	args := []string{"serve", protocol, s.dir, "--addr", s.Addr(), "--config", "/dev/null",
		"--dir-cache-time", "0", "--poll-interval", "0", "--cache-dir", filepath.Join(s.work, "cache")}
	if s.login != nil {
		args = append(args, "--user", s.login.user, "--pass", s.login.password)
	}
	return append(args, s.extra...)
}

// XRootD serves dir by XRootD over HTTP, with checksums adler32, md5 and
// crc32. It listens on all addresses of the machine, for it knows no other way.
func XRootD(t testing.TB, dir string, opts ...Option) *Server {
	t.Helper()
	return launch(t, dir, software{
		name: "xrootd", binary: "xrootd", debian: "xrootd-server xrootd-server-plugins",
		users: []string{"xrootd", "nobody"}, arguments: xrootdArguments,
		ready: answersHTTP, url: httpURL,
	}, opts)
}

func xrootdArguments(s *Server) []string {
	if s.plain {
		s.refuse("Plain")
	}
	if s.login != nil {
		s.refuse("Basic")
	}
	conf := fmt.Sprintf(`all.export /
all.adminpath %[1]s/admin
all.pidpath %[1]s
oss.localroot %[2]s
xrd.network nodnr
xrd.port %[3]d
xrd.protocol http:%[3]d libXrdHttp.so
xrootd.chksum max 2 adler32 md5 crc32
http.listingdeny no
http.desthttps no
`, s.work, s.dir, s.port)
	if s.thirdParty {
		conf += s.thirdPartyLines()
	}
	for _, line := range s.extra {
		conf += line + "\n"
	}
	return []string{"-c", s.file("xrootd.cf", conf), "-n", "rig"}
}

// htpasswd writes a password file that Apache and nginx both understand.
func (s *Server) htpasswd() string {
	sum := sha1.Sum([]byte(s.login.password))
	return s.file("htpasswd", s.login.user+":{SHA}"+base64.StdEncoding.EncodeToString(sum[:])+"\n")
}

func httpURL(s *Server) string { return "http://" + s.Addr() }

// answersHTTP reports success on any HTTP answer whatever.
func answersHTTP(ctx context.Context, s *Server) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodOptions, s.URL()+"/", nil)
	if err != nil {
		return err
	}
	tr := &http.Transport{DisableKeepAlives: true, DialContext: (&net.Dialer{}).DialContext}
	resp, err := tr.RoundTrip(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}
