package plugintest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"canopy/plugins"
	"canopy/plugins/faults"
	"canopy/plugins/plugintest/mem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ear is a testing.TB that takes complaints without failing.
type ear struct {
	testing.TB
	heard []string
}

func (e *ear) Errorf(format string, args ...any) {
	e.heard = append(e.heard, fmt.Sprintf(format, args...))
}

// storage is a tree in memory with a server in front, for Locate.
func storage(t *testing.T) *mem.Endpoint {
	var e *mem.Endpoint
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := e.Open(r.Context(), r.URL.Path, plugins.Whole)
		if err != nil {
			http.Error(w, err.Error(), http.StatusNotFound)
			return
		}
		io.Copy(w, body)
	}))
	t.Cleanup(s.Close)
	e = mem.New(s.URL, nil)
	e.SetSpace(plugins.Space{Used: 1, Free: 1 << 40})
	return e
}

func subject(e *mem.Endpoint, wrap func(*mem.Endpoint) plugins.Endpoint) Subject {
	return Subject{
		Open: func(testing.TB, plugins.Env) plugins.Endpoint { return wrap(e) },
		Seed: func(_ testing.TB, nodes []Node) {
			for _, n := range nodes {
				if n.Directory {
					e.Mkdir(n.Path)
				} else {
					e.Put(n.Path, mem.File{Content: n.Content, ModTime: n.ModTime})
				}
			}
		},
		Secrets: []string{"hunter2"},
	}
}

// failing returns which of the checks s does not pass. None named are all but
// the slow ones.
func failing(t *testing.T, s Subject, among ...string) []string {
	t.Helper()
	var names []string
	for _, c := range allChecks() {
		if c.lack == NoLarge || len(among) > 0 && !slices.Contains(among, c.name) {
			continue
		}
		e := &ear{TB: t}
		if s.judge(e, c) != nil || len(e.heard) > 0 {
			names = append(names, c.name)
		}
	}
	return names
}

// The endpoints below are wrong in one way each.

type wrongStat struct {
	*mem.Endpoint
	stat func(plugins.Entry, error) (plugins.Entry, error)
}

func (w wrongStat) Stat(ctx context.Context, p string) (plugins.Entry, error) {
	return w.stat(w.Endpoint.Stat(ctx, p))
}

type wrongList struct {
	*mem.Endpoint
	list func(iter.Seq2[plugins.Entry, error], func(plugins.Entry, error) bool)
}

func (w wrongList) List(ctx context.Context, p string) iter.Seq2[plugins.Entry, error] {
	return func(yield func(plugins.Entry, error) bool) { w.list(w.Endpoint.List(ctx, p), yield) }
}

type wrongOpen struct {
	*mem.Endpoint
	open func(e *mem.Endpoint, ctx context.Context, p string, r plugins.Range) (*plugins.Body, error)
}

func (w wrongOpen) Open(ctx context.Context, p string, r plugins.Range) (*plugins.Body, error) {
	return w.open(w.Endpoint, ctx, p, r)
}

type wrongLocate struct {
	*mem.Endpoint
	locate func(string) string
}

func (w wrongLocate) Locate(p, method string) (plugins.Location, error) {
	l, err := w.Endpoint.Locate(p, method)
	l.URL = w.locate(l.URL)
	return l, err
}

type wrongDigest struct{ *mem.Endpoint }

func (w wrongDigest) Digest(ctx context.Context, p, algorithm string) (plugins.Digest, error) {
	d, err := w.Endpoint.Digest(ctx, p, algorithm)
	d.Sum += " "
	return d, err
}

// wrongInspect tries whether files are taken by writing some.
type wrongInspect struct{ *mem.Endpoint }

func (w wrongInspect) Inspect(_ context.Context, p string) (plugins.Inspection, error) {
	w.Put(p, mem.File{})
	return plugins.Inspection{Writable: plugins.Yes}, nil
}

// listless cannot list and yet has all else.
type listless struct{ plugins.Endpoint }

func eachEntry(change func(int, *plugins.Entry)) func(iter.Seq2[plugins.Entry, error], func(plugins.Entry, error) bool) {
	return func(seq iter.Seq2[plugins.Entry, error], yield func(plugins.Entry, error) bool) {
		n := 0
		for e, err := range seq {
			if err == nil {
				change(n, &e)
			}
			if n++; !yield(e, err) {
				return
			}
		}
	}
}

func TestTheSuiteFinds(t *testing.T) {
	stop := make(chan struct{})
	defer close(stop)
	entries := func(change func(int, *plugins.Entry)) func(*mem.Endpoint) plugins.Endpoint {
		return func(e *mem.Endpoint) plugins.Endpoint { return wrongList{e, eachEntry(change)} }
	}
	stats := func(change func(plugins.Entry, error) (plugins.Entry, error)) func(*mem.Endpoint) plugins.Endpoint {
		return func(e *mem.Endpoint) plugins.Endpoint { return wrongStat{e, change} }
	}
	opens := func(open func(*mem.Endpoint, context.Context, string, plugins.Range) (*plugins.Body, error)) func(*mem.Endpoint) plugins.Endpoint {
		return func(e *mem.Endpoint) plugins.Endpoint { return wrongOpen{e, open} }
	}
	for _, tt := range []struct {
		fault string
		wrap  func(*mem.Endpoint) plugins.Endpoint
		// want are checks that must fail; none is for no fault.
		want []string
	}{
		{"nothing", func(e *mem.Endpoint) plugins.Endpoint { return e }, nil},
		{"an unknown path taken for an absent one", stats(func(e plugins.Entry, err error) (plugins.Entry, error) {
			if err != nil {
				err = &plugins.Error{Kind: plugins.NotFound, Op: "stat", Path: "/"}
			}
			return e, err
		}), []string{"cancel/before", "cancel/deadline past", "concurrency/mixed"}},
		{"an error of another type", stats(func(e plugins.Entry, err error) (plugins.Entry, error) {
			if err != nil {
				err = errors.New("no")
			}
			return e, err
		}), []string{"stat/absent"}},
		{"a secret in an error", stats(func(e plugins.Entry, err error) (plugins.Entry, error) {
			if err != nil {
				err = plugins.Fail("stat", "/hunter2", err)
				err.(*plugins.Error).Err = errors.New("with password hunter2")
			}
			return e, err
		}), []string{"stat/absent"}},
		{"a wrong size", stats(func(e plugins.Entry, err error) (plugins.Entry, error) {
			e.Size++
			return e, err
		}), []string{"stat/file", "stat/directory"}},
		{"a tag without quotes", stats(func(e plugins.Entry, err error) (plugins.Entry, error) {
			e.ETag = strings.Trim(e.ETag, `"`)
			return e, err
		}), []string{"stat/file", "read/matching tag"}},
		{"a time in local clothes", stats(func(e plugins.Entry, err error) (plugins.Entry, error) {
			e.ModTime = e.ModTime.Add(3600e9)
			return e, err
		}), []string{"stat/time"}},
		{"goroutines left behind", stats(func(e plugins.Entry, err error) (plugins.Entry, error) {
			go func() { <-stop }()
			return e, err
		}), []string{"leaks/after close"}},
		{"the directory among its entries", entries(func(n int, e *plugins.Entry) {
			if n == 0 {
				e.Name = "."
			}
		}), []string{"list/entries", "list/root"}},
		{"a path for a name", entries(func(_ int, e *plugins.Entry) { e.Name = "dir/" + e.Name }), []string{"list/entries"}},
		{"names decoded twice", entries(func(_ int, e *plugins.Entry) {
			e.Name = strings.ReplaceAll(e.Name, "%41", "A")
		}), []string{"names/together"}},
		{"entries twice", entries(func(_ int, e *plugins.Entry) { e.Name = "same" }), []string{"list/entries"}},
		{"rounded sizes", entries(func(_ int, e *plugins.Entry) { e.Size &^= 0xff }), []string{"list/sizes"}},
		{"no times", entries(func(_ int, e *plugins.Entry) { e.ModTime = e.ModTime.Truncate(3600e9) }), []string{"list/times"}},
		{"a look that leaves something behind", func(e *mem.Endpoint) plugins.Endpoint { return wrongInspect{e} }, []string{"inspect/changes nothing"}},
		{"a listing that goes on after its error", func(e *mem.Endpoint) plugins.Endpoint {
			return wrongList{e, func(seq iter.Seq2[plugins.Entry, error], yield func(plugins.Entry, error) bool) {
				for e, err := range seq {
					if !yield(e, err) || err != nil && !yield(plugins.Entry{Name: "x", Kind: plugins.File}, nil) {
						return
					}
				}
			}}
		}, []string{"list/absent", "list/file"}},
		{"a cut listing that looks complete", func(e *mem.Endpoint) plugins.Endpoint {
			return wrongList{e, func(seq iter.Seq2[plugins.Entry, error], yield func(plugins.Entry, error) bool) {
				for e, err := range seq {
					if err != nil || !yield(e, nil) {
						return
					}
				}
			}}
		}, []string{"cancel/while listing", "list/absent"}},
		{"a false claim of order", func(e *mem.Endpoint) plugins.Endpoint {
			return wrongList{e, func(seq iter.Seq2[plugins.Entry, error], yield func(plugins.Entry, error) bool) {
				var back []plugins.Entry
				for e, err := range seq {
					if err != nil {
						yield(e, err)
						return
					}
					back = append(back, e)
				}
				for _, e := range slices.Backward(back) {
					if !yield(e, nil) {
						return
					}
				}
			}}
		}, []string{"list/order", "names/together"}},
		{"ranges ignored", opens(func(e *mem.Endpoint, ctx context.Context, p string, r plugins.Range) (*plugins.Body, error) {
			return e.Open(ctx, p, plugins.Range{Length: -1, IfMatch: r.IfMatch})
		}), []string{"read/ranges", "read/out of range"}},
		{"tags ignored", opens(func(e *mem.Endpoint, ctx context.Context, p string, r plugins.Range) (*plugins.Body, error) {
			r.IfMatch = ""
			return e.Open(ctx, p, r)
		}), []string{"read/other tag"}},
		{"a short body", opens(func(e *mem.Endpoint, ctx context.Context, p string, r plugins.Range) (*plugins.Body, error) {
			body, err := e.Open(ctx, p, r)
			if err == nil {
				body.ReadCloser = io.NopCloser(io.LimitReader(body.ReadCloser, 4000))
			}
			return body, err
		}), []string{"read/whole"}},
		{"a body that outlives its context", opens(func(e *mem.Endpoint, ctx context.Context, p string, r plugins.Range) (*plugins.Body, error) {
			if ctx.Err() != nil {
				return nil, plugins.Fail("open", p, ctx.Err())
			}
			return e.Open(context.WithoutCancel(ctx), p, r)
		}), []string{"cancel/while reading"}},
		{"a URL with a user", func(e *mem.Endpoint) plugins.Endpoint {
			return wrongLocate{e, func(u string) string { return strings.Replace(u, "://", "://ada:pw@", 1) }}
		}, []string{"locate/fetch", "locate/form"}},
		{"a URL with a secret", func(e *mem.Endpoint) plugins.Endpoint {
			return wrongLocate{e, func(u string) string { return u + "?token=hunter2" }}
		}, []string{"locate/fetch"}},
		{"a URL that is not encoded", func(e *mem.Endpoint) plugins.Endpoint {
			return wrongLocate{e, func(u string) string { return strings.ReplaceAll(u, "%20", " ") }}
		}, []string{"locate/form", `names/00 "with space"`}},
		{"an address for a copy that nobody makes", func(e *mem.Endpoint) plugins.Endpoint { return faults.New(e, "third-party") }, []string{"locate/third-party copies"}},
		{"wrong checksums", func(e *mem.Endpoint) plugins.Endpoint { return wrongDigest{e} }, []string{"digest/values"}},
		{"a missing ability", func(e *mem.Endpoint) plugins.Endpoint { return listless{e} }, []string{"abilities/list", "abilities/space"}},
	} {
		t.Run(tt.fault, func(t *testing.T) {
			got := failing(t, subject(storage(t), tt.wrap), tt.want...)
			if len(tt.want) == 0 && len(got) > 0 {
				t.Errorf("failed: %q", got)
			}
			for _, want := range tt.want {
				if !slices.Contains(got, want) {
					t.Errorf("%q did not notice", want)
				}
			}
		})
	}
}

func TestGapsAreNeeded(t *testing.T) {
	s := subject(storage(t), func(e *mem.Endpoint) plugins.Endpoint { return e })
	s.Gaps = []Gap{
		{Lack: NoList, Because: "so it says"},
		{Lack: NoTags, Because: "so it says"},
		{Lack: NoNames, Because: "so it says", Names: []string{"with space"}},
	}
	want := []string{"abilities/list", "stat/tag", "read/matching tag", "read/other tag", `names/00 "with space"`,
		"store/matching tag", "store/other tag", "store/tag of nothing"}
	if got := failing(t, s); !slices.Equal(got, want) {
		t.Errorf("failed: %q, want %q", got, want)
	}
	s = subject(storage(t), func(e *mem.Endpoint) plugins.Endpoint { return listless{e} })
	s.Writable = true
	for _, lack := range lacks[:abilities] {
		s.Gaps = append(s.Gaps, Gap{Lack: lack, Because: "it is listless"})
	}
	if got := failing(t, s); len(got) > 0 {
		t.Errorf("excused and failed: %q", got)
	}
}

func TestSubjectIsChecked(t *testing.T) {
	for want, gaps := range map[string][]Gap{
		"":                 {{Lack: NoList, Because: "it cannot"}, {Lack: NoNames, Because: "no", Names: []string{"..."}}},
		"gives no reason":  {{Lack: NoList, Because: " "}},
		"there is no gap":  {{Lack: "patience", Because: "it cannot"}},
		"is there twice":   {{Lack: NoList, Because: "a"}, {Lack: NoList, Because: "b"}},
		"names do not fit": {{Lack: NoNames, Because: "it cannot"}},
		"is not a name":    {{Lack: NoNames, Because: "it cannot", Names: []string{"ordinary"}}},
	} {
		s := subject(nil, nil)
		s.Gaps = gaps
		if got := s.problem(); !strings.Contains(got, want) || want == "" && got != "" {
			t.Errorf("%+v: %q, want %q", gaps, got, want)
		}
	}
	if (&Subject{}).problem() == "" {
		t.Error("a subject of nothing is good enough")
	}
}
