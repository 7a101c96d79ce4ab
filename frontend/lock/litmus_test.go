package lock_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"canopy/frontend/lock"
	"canopy/frontend/lock/condition"
	"canopy/frontend/lock/lockinfo"
	"canopy/plugins"
	"canopy/plugins/wire/multistatus"

	"golang.org/x/net/webdav"
)

// davServer is a WebDAV server in memory whose locks are those of a Table: the
// handlers that are the least that can be. Everything else is done by another
// implementation that knows of no locks.
type davServer struct {
	files webdav.FileSystem
	rest  http.Handler
	table *lock.Table
}

func newServer(table *lock.Table) *davServer {
	files := webdav.NewMemFS()
	return &davServer{files, &webdav.Handler{FileSystem: files, LockSystem: webdav.NewMemLS()}, table}
}

// clean is enough for the names that litmus uses.
func clean(path string) string { return "/" + strings.Trim(path, "/") }

func (s *davServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := s.serve(w, r); err != nil {
		s.fail(w, err)
	}
}

func (s *davServer) serve(w http.ResponseWriter, r *http.Request) error {
	path, who := clean(r.URL.Path), ""
	var header *condition.If
	if text := r.Header.Get("If"); text != "" {
		var err error
		header, err = condition.Parse(text, path, func(u *url.URL) (string, bool) { return clean(u.Path), u.Host == "" || u.Host == r.Host })
		if err != nil {
			return err
		}
	}
	check := lock.Check{If: header, ETag: s.etag, Who: who}
	member := !s.exists(path)
	drop := ""
	switch r.Method {
	case "LOCK":
		return s.lock(w, r, path, header)
	case "UNLOCK":
		token, err := condition.ParseToken(r.Header.Get("Lock-Token"))
		if err != nil {
			return err
		}
		if err := s.table.Unlock(r.Context(), time.Now(), token, path, who); err != nil {
			return err
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	case "PUT", "PROPPATCH":
		check.Touches = []lock.Touch{{Path: path, Member: member}}
	case "MKCOL":
		check.Touches = []lock.Touch{{Path: path, Member: true}}
	case "DELETE":
		check.Touches = []lock.Touch{{Path: path, Tree: true, Member: true}}
		drop = path
	case "COPY", "MOVE":
		u, err := url.Parse(r.Header.Get("Destination"))
		if err != nil {
			return err
		}
		to := clean(u.Path)
		check.Touches = []lock.Touch{{Path: to, Tree: true, Member: !s.exists(to)}}
		if r.Method == "MOVE" {
			check.Touches = append(check.Touches, lock.Touch{Path: path, Tree: true, Member: true})
			drop = path
		}
	case "PROPFIND":
		return s.propfind(w, r, path)
	}
	if err := s.table.Check(r.Context(), time.Now(), check); err != nil {
		return err
	}
	r.Header.Del("If")
	s.rest.ServeHTTP(w, r)
	if drop != "" && !s.exists(drop) {
		return s.table.Drop(r.Context(), time.Now(), drop)
	}
	return nil
}

func (s *davServer) exists(path string) bool {
	_, err := s.files.Stat(context.Background(), path)
	return err == nil
}

// etag returns what the other implementation makes of a file.
func (s *davServer) etag(path string) (string, error) {
	w := httptest.NewRecorder()
	s.rest.ServeHTTP(w, httptest.NewRequest(http.MethodHead, (&url.URL{Path: path}).EscapedPath(), nil))
	return w.Header().Get("Etag"), nil
}

func (s *davServer) lock(w http.ResponseWriter, r *http.Request, path string, header *condition.If) error {
	ctx, now := r.Context(), time.Now()
	timeout, err := lockinfo.ParseTimeout(r.Header.Get("Timeout"))
	if err != nil {
		return err
	}
	deep, err := lockinfo.ParseDepth(r.Header.Get("Depth"))
	if err != nil {
		return err
	}
	info, err := lockinfo.Parse(r.Body)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if info.Refresh {
		token, ok := header.Sole()
		if !ok {
			return &plugins.Error{Kind: plugins.Invalid}
		}
		if _, err := s.table.Refresh(ctx, now, token, path, "", timeout); err == lock.ErrNoLock {
			return lock.ErrCondition
		} else if err != nil {
			return err
		}
	} else {
		check := lock.Check{If: header, ETag: s.etag}
		if !s.exists(path) {
			status = http.StatusCreated
			check.Touches = []lock.Touch{{Path: clean(path[:strings.LastIndexByte(path, '/')])}}
		}
		if err := s.table.Check(ctx, now, check); err != nil {
			return err
		}
		l, err := s.table.Create(ctx, now, lock.Lock{Root: path, Deep: deep, Scope: info.Scope, Owner: info.Owner}, timeout)
		if err != nil {
			return err
		}
		if status == http.StatusCreated {
			f, err := s.files.OpenFile(ctx, path, os.O_RDWR|os.O_CREATE, 0o666)
			if err != nil {
				return err
			}
			f.Close()
		}
		w.Header().Set("Lock-Token", "<"+l.Token+">")
	}
	set, err := s.table.Find(ctx, now, path)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/xml; charset=utf-8")
	w.WriteHeader(status)
	_, err = w.Write(lockinfo.AppendAnswer(nil, now, "", set.On(path)))
	return err
}

// propfind answers for the locks of one resource, which is all that litmus
// asks here.
func (s *davServer) propfind(w http.ResponseWriter, r *http.Request, path string) error {
	set, err := s.table.Find(r.Context(), time.Now(), path)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/xml; charset=utf-8")
	w.WriteHeader(http.StatusMultiStatus)
	b := []byte(`<?xml version="1.0"?><D:multistatus xmlns:D="DAV:"><D:response><D:href>`)
	b = multistatus.AppendPath(b, path)
	b = append(b, `</D:href><D:propstat><D:prop>`...)
	b = lockinfo.AppendDiscovery(b, time.Now(), "", set.On(path))
	b = lockinfo.AppendSupported(b)
	_, err = w.Write(append(b, `</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response></D:multistatus>`...))
	return err
}

func (s *davServer) fail(w http.ResponseWriter, err error) {
	var conflict *lock.ConflictError
	var locked *lock.LockedError
	var document []byte
	status := http.StatusInternalServerError
	switch {
	case errors.As(err, &conflict):
		status, document = http.StatusLocked, multistatus.AppendError(nil, multistatus.NoConflictingLock, conflict.Roots...)
	case errors.As(err, &locked):
		status, document = http.StatusLocked, multistatus.AppendError(nil, multistatus.LockTokenSubmitted, locked.Roots...)
	case err == lock.ErrNoLock:
		status, document = http.StatusConflict, multistatus.AppendError(nil, multistatus.LockTokenMatches)
	case err == lock.ErrCondition:
		status = http.StatusPreconditionFailed
	case plugins.KindOf(err) == plugins.Invalid:
		status = http.StatusBadRequest
	}
	w.WriteHeader(status)
	_, _ = w.Write(document)
}

// TestLitmus runs the locks suite of litmus.
func TestLitmus(t *testing.T) {
	t.Parallel()
	binary, err := exec.LookPath("litmus")
	if err != nil {
		t.Fatal("litmus is not installed; on Debian: apt-get install litmus")
	}
	server := httptest.NewServer(newServer(lock.New(lock.Options{})))
	defer server.Close()
	cmd := exec.CommandContext(t.Context(), binary, "-k", server.URL)
	cmd.Env = append(os.Environ(), "TESTS=locks")
	cmd.Dir = t.TempDir()
	out, err := cmd.CombinedOutput()
	text := string(out)
	t.Logf("%s", text)
	if err != nil || !strings.Contains(text, "100.0%") || strings.Contains(text, "FAIL") || strings.Contains(text, "WARNING") || strings.Contains(text, "SKIPPED") {
		t.Errorf("litmus: %v", err)
	}
}
