package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// tree is what could be on a storage: directories below the root, and how many
// files each has.
type tree map[string]int

// file returns the path of file n of a directory.
func file(dir string, n int) string { return "/" + dir + "/" + string(appendName(nil, n)) }

// appendName appends a name as physicists give them.
func appendName(b []byte, n int) []byte {
	b = append(b, "AOD."...)
	for d := 10_000_000; d > 0; d /= 10 {
		b = append(b, byte('0'+n/d%10))
	}
	return append(b, "._000001.pool.root.1"...)
}

// find returns what path is: a file of a directory, or with n < 0 a directory,
// "" being the root.
func (t tree) find(path string) (dir string, n int, ok bool) {
	dir, name, _ := strings.Cut(strings.Trim(path, "/"), "/")
	if files, is := t[dir]; dir != "" && !is {
		return "", 0, false
	} else if name == "" {
		return dir, -1, true
	} else if digits, is := strings.CutPrefix(name, "AOD."); is && len(digits) > 8 {
		n, err := strconv.Atoi(digits[:8])
		return dir, n, err == nil && n < files
	}
	return "", 0, false
}

// storage is a WebDAV server in this process that makes up its answers.
type storage struct {
	name string
	tree tree
	// has is whether it has file n of a directory.
	has func(dir string, n int) bool

	addr   string
	server *http.Server
	delay  time.Duration
	thaw   atomic.Pointer[chan struct{}] // nil when it is not frozen

	mu    sync.Mutex
	asked map[string]int // questions about each file
}

// open makes the storage answer on a port of its own.
func (s *storage) open() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.addr, s.asked = l.Addr().String(), make(map[string]int)
	s.server = &http.Server{Handler: s}
	go s.server.Serve(l)
	return nil
}

// close ends all connections; new ones are refused.
func (s *storage) close() {
	s.heal()
	s.server.Close()
}

// freeze makes it accept and never answer, until heal.
func (s *storage) freeze() {
	c := make(chan struct{})
	s.thaw.Store(&c)
}

func (s *storage) heal() {
	if c := s.thaw.Swap(nil); c != nil {
		close(*c)
	}
}

// questions returns how often it was asked about a file.
func (s *storage) questions(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[path]
}

// ServeHTTP answers PROPFIND.
func (s *storage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	dir, n, ok := s.tree.find(r.URL.Path)
	if n >= 0 {
		s.mu.Lock()
		s.asked[r.URL.Path]++
		s.mu.Unlock()
	}
	if !s.wait(r.Context()) {
		panic(http.ErrAbortHandler) // no answer, which is the point
	}
	switch {
	case r.Method != "PROPFIND":
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	case !ok || n >= 0 && !s.has(dir, n):
		w.WriteHeader(http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", `text/xml; charset="utf-8"`)
	w.WriteHeader(http.StatusMultiStatus)
	b := append(make([]byte, 0, 40<<10), "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:multistatus xmlns:D=\"DAV:\">\n"...)
	if n >= 0 {
		b = appendFile(b, dir, n)
	} else {
		b = appendDirectory(b, dir)
		if r.Header.Get("Depth") != "0" {
			b = s.children(b, w, dir)
		}
	}
	w.Write(append(b, "</D:multistatus>\n"...))
}

// wait returns when it is time to answer, or false when the client has gone.
func (s *storage) wait(ctx context.Context) bool {
	if c := s.thaw.Load(); c != nil {
		select {
		case <-ctx.Done():
			return false
		case <-*c:
		}
	}
	if s.delay > 0 {
		timer := time.NewTimer(s.delay)
		defer timer.Stop()
		select {
		case <-ctx.Done():
			return false
		case <-timer.C:
		}
	}
	return true
}

// children appends the content of a directory, passing it on now and then.
func (s *storage) children(b []byte, w io.Writer, dir string) []byte {
	if dir == "" {
		for d := range s.tree {
			b = appendDirectory(b, d)
		}
		return b
	}
	for n := range s.tree[dir] {
		if !s.has(dir, n) {
			continue
		}
		if b = appendFile(b, dir, n); len(b) > 32<<10 {
			if _, err := w.Write(b); err != nil {
				return nil
			}
			b = b[:0]
		}
	}
	return b
}

const (
	beforeHref = "<D:response xmlns:lp1=\"DAV:\" xmlns:lp2=\"http://apache.org/dav/props/\">\n<D:href>/"
	afterProp  = "</D:prop>\n<D:status>HTTP/1.1 200 OK</D:status>\n</D:propstat>\n</D:response>\n"
)

func appendDirectory(b []byte, dir string) []byte {
	b = append(append(b, beforeHref...), dir...)
	if dir != "" {
		b = append(b, '/')
	}
	b = append(b, "</D:href>\n<D:propstat>\n<D:prop>\n<lp1:resourcetype><D:collection/></lp1:resourcetype>\n"+
		"<lp1:getlastmodified>Sat, 21 Nov 2026 09:23:45 GMT</lp1:getlastmodified>\n"...)
	return append(b, afterProp...)
}

// appendFile appends what Apache says of a file when asked for the properties
// that a federator needs.
func appendFile(b []byte, dir string, n int) []byte {
	b = append(append(b, beforeHref...), dir...)
	b = appendName(append(b, '/'), n)
	b = append(b, "</D:href>\n<D:propstat>\n<D:prop>\n<lp1:resourcetype/>\n<lp1:getcontentlength>"...)
	b = strconv.AppendInt(b, int64(1000+n), 10)
	b = append(b, "</lp1:getcontentlength>\n<lp1:getlastmodified>Sat, 21 Nov 2026 09:23:45 GMT</lp1:getlastmodified>\n<lp1:getetag>\"1-660c5"...)
	b = strconv.AppendInt(b, int64(n), 16)
	b = append(b, "\"</lp1:getetag>\n"...)
	return append(b, afterProp...)
}

// open makes n storages of one tree; has says which has what.
func open(n int, t tree, has func(i int, dir string, n int) bool) ([]*storage, func(), error) {
	all := make([]*storage, n)
	closeAll := func() {
		for _, s := range all {
			if s != nil {
				s.close()
			}
		}
	}
	for i := range all {
		s := &storage{name: fmt.Sprintf("s%02d", i), tree: t, has: func(dir string, n int) bool { return has(i, dir, n) }}
		if err := s.open(); err != nil {
			closeAll()
			return nil, nil, err
		}
		all[i] = s
	}
	return all, closeAll, nil
}

func everywhere(int, string, int) bool { return true }

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}
