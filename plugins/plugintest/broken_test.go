package plugintest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"canopy/plugins"
)

// web is a small endpoint over HTTP that can stat and read. Its faults are the
// usual ones.
type web struct {
	plugins.Endpoint
	base string
	env  plugins.Env
	tr   *http.Transport
	// credulous takes any failure for an absent path.
	credulous bool
	// lax believes whatever range it is sent.
	lax bool
}

func (w *web) Close() error {
	w.tr.CloseIdleConnections()
	return nil
}

func (w *web) ask(ctx context.Context, op, method, p string, r plugins.Range) (*http.Response, error) {
	fail := func(kind plugins.Kind, err error) (*http.Response, error) {
		if w.credulous {
			kind = plugins.NotFound
		}
		return nil, &plugins.Error{Kind: kind, Op: op, Path: p, Err: err}
	}
	// The limit is for the header; a body lives as long as ctx.
	limited, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() { stop(ctx.Err()) })
	header := time.AfterFunc(w.env.Timeout, func() { stop(context.DeadlineExceeded) })
	defer header.Stop()
	u := (&url.URL{Scheme: "http", Host: w.base, Path: p}).String()
	req, err := http.NewRequestWithContext(limited, method, u, nil)
	if err != nil {
		return fail(plugins.Invalid, err)
	}
	if r != plugins.Whole {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", r.Offset, r.Offset+r.Length-1))
	}
	resp, err := w.tr.RoundTrip(req)
	if err != nil {
		if cause := context.Cause(limited); cause != nil {
			err = cause
		}
		return fail(plugins.KindOf(err), err)
	}
	switch {
	case resp.StatusCode == http.StatusPartialContent && (r != plugins.Whole || w.lax):
		return resp, nil
	case resp.StatusCode == http.StatusOK && (r == plugins.Whole || w.lax):
		return resp, nil
	}
	resp.Body.Close()
	kind := plugins.Malformed
	if resp.StatusCode >= http.StatusInternalServerError {
		kind = plugins.Faulty
	}
	return fail(kind, fmt.Errorf("answered %s", resp.Status))
}

func (w *web) Stat(ctx context.Context, p string) (plugins.Entry, error) {
	resp, err := w.ask(ctx, "stat", http.MethodHead, p, plugins.Whole)
	if err != nil {
		return plugins.Entry{}, err
	}
	defer resp.Body.Close()
	return plugins.Entry{Name: path.Base(p), Kind: plugins.File, Size: resp.ContentLength}, nil
}

func (w *web) Open(ctx context.Context, p string, r plugins.Range) (*plugins.Body, error) {
	resp, err := w.ask(ctx, "open", http.MethodGet, p, r)
	if err != nil {
		return nil, err
	}
	return &plugins.Body{ReadCloser: webBody{resp.Body, p}, Offset: r.Offset, Length: -1}, nil
}

type webBody struct {
	io.ReadCloser
	path string
}

func (b webBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = plugins.Fail("read", b.path, err)
	}
	return n, err
}

// TestBrokenStorages shows the broken storages to endpoints that can and cannot
// cope with them.
func TestBrokenStorages(t *testing.T) {
	outcome := func(t *testing.T, name string, w web) error {
		t.Helper()
		for _, c := range slices.Concat(brokenChecks(), brokenHTTPChecks()) {
			if c.name != "broken/"+name {
				continue
			}
			s := subject(storage(t), nil)
			open := func(_ testing.TB, address string, env plugins.Env) plugins.Endpoint {
				e := w
				e.base, e.env, e.tr = address, env, &http.Transport{MaxResponseHeaderBytes: 1 << 20}
				return &e
			}
			s.OpenAt = open
			s.Open = func(t testing.TB, env plugins.Env) plugins.Endpoint { return open(t, "127.0.0.1:9", env) }
			return s.judge(t, c)
		}
		t.Fatalf("no check %q", name)
		return nil
	}
	for _, name := range []string{
		"refuses", "hangs while canceled", "hangs", "resets", "says nothing", "garbage", "half a status line",
		"endless headers", "dripping header", "answers 500", "answers redirect loop", "answers body cut",
		"answers range ignored",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := outcome(t, name, web{}); err != nil {
				t.Errorf("careful: %v", err)
			}
			if strings.Contains(name, "body") || strings.Contains(name, "range") {
				return
			}
			if err := outcome(t, name, web{credulous: true}); err == nil {
				t.Error("credulous: not noticed")
			}
		})
	}
	t.Run("lax", func(t *testing.T) {
		for _, name := range []string{"answers range ignored", "answers another range", "answers range too short"} {
			if err := outcome(t, name, web{lax: true}); err == nil {
				t.Errorf("%s: not noticed", name)
			}
		}
	})
}
