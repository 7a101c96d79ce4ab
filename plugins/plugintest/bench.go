package plugintest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"canopy/plugins"
)

// patience bounds what must be prompt. It is far more than any honest endpoint
// takes, because test machines are busy.
const patience = 15 * time.Second

// bench is where one check works: an endpoint and a directory of its own.
type bench struct {
	t    testing.TB
	s    *Subject
	e    plugins.Endpoint
	able plugins.Abilities
	ctx  context.Context
	// dir is the directory of this check, which nothing else uses.
	dir string
	log *journal
}

func newBench(t testing.TB, s *Subject, name string) *bench {
	t.Helper()
	b := &bench{t: t, s: s, ctx: t.Context(), log: new(journal)}
	b.dir = "/plugintest/" + strings.NewReplacer("/", "-", " ", "-").Replace(name)
	b.e = b.open(b.env())
	b.able = plugins.AbilitiesOf(b.e)
	return b
}

func (b *bench) env() plugins.Env {
	return plugins.Env{
		Name: "subject", Timeout: long,
		Log: slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
}

// open opens a further endpoint, which is closed when the check has ended.
func (b *bench) open(env plugins.Env) plugins.Endpoint {
	b.t.Helper()
	e := b.s.Open(b.t, env)
	b.t.Cleanup(func() { b.close(e) })
	return e
}

func (b *bench) close(e plugins.Endpoint) {
	if err := e.Close(); err != nil {
		b.t.Errorf("Close: %v", err)
	}
}

// runIn runs c and looks for secrets in what was logged meanwhile.
func (b *bench) runIn(c check) error {
	b.t.Helper()
	err := c.run(b)
	return errors.Join(err, b.discreet("the log", b.log.String()))
}

// has reports whether the endpoint has the ability that lack is the lack of.
func (b *bench) has(lack Lack) bool {
	switch lack {
	case NoList:
		return b.able.Lister != nil
	case NoLocate:
		return b.able.Locator != nil
	case NoRead:
		return b.able.Reader != nil
	case NoDigest:
		return b.able.Digester != nil
	case NoSpace:
		return b.able.Spacer != nil
	case NoWrite:
		return b.able.Writer != nil
	case NoRemove:
		return b.able.Remover != nil
	case NoMake:
		return b.able.Maker != nil
	case NoMove:
		return b.able.Mover != nil
	case NoProperties:
		return b.able.Keeper != nil
	}
	return true
}

// at returns the path of name in this check's directory.
func (b *bench) at(name string) string { return b.dir + "/" + name }

// seed lays down nodes whose paths are relative to this check's directory.
func (b *bench) seed(nodes ...Node) {
	b.t.Helper()
	absolute := make([]Node, len(nodes))
	for i, n := range nodes {
		n.Path = b.at(n.Path)
		if n.ModTime.IsZero() && !n.Directory {
			n.ModTime = seedTime()
		}
		absolute[i] = n
	}
	b.s.Seed(b.t, absolute)
}

// fails demands that err is a proper error of one of the kinds.
func (b *bench) fails(what string, err error, kinds ...plugins.Kind) error {
	if err == nil {
		return fmt.Errorf("%s: succeeded, want %v", what, kinds)
	}
	var e *plugins.Error
	if !errors.As(err, &e) {
		return fmt.Errorf("%s: %T is not a *plugins.Error: %w", what, err, err)
	}
	if !slices.Contains(kinds, e.Kind) {
		return fmt.Errorf("%s: kind %q, want %v: %w", what, e.Kind, kinds, err)
	}
	if e.Op == "" || e.Path == "" {
		return fmt.Errorf("%s: an error without operation or path: %w", what, err)
	}
	if e.RetryAfter < 0 {
		return fmt.Errorf("%s: retry after %v", what, e.RetryAfter)
	}
	return b.discreet(what, err.Error())
}

// unanswered demands that err leaves open whether the path exists and blames
// the storage for it.
func (b *bench) unanswered(what string, err error) error {
	return b.fails(what, err, plugins.Unavailable, plugins.Faulty, plugins.Timeout, plugins.Malformed)
}

func (b *bench) discreet(what, text string) error {
	for _, secret := range b.s.Secrets {
		if strings.Contains(text, secret) {
			return fmt.Errorf("%s gives away a secret", what)
		}
	}
	return nil
}

// listing is what a listing came to.
type listing struct {
	entries []plugins.Entry
	err     error
}

// names are the names in a directory, in order.
type names []string

func (l listing) names() names {
	n := make(names, len(l.entries))
	for i, e := range l.entries {
		n[i] = e.Name
	}
	slices.Sort(n)
	return n
}

// are demands that the names in path are those wanted.
func (n names) are(path string, want []string) error {
	without := func(x, y []string) []string {
		return slices.DeleteFunc(slices.Clone(x), func(name string) bool { return slices.Contains(y, name) })
	}
	missing, unexpected := without(want, n), without(n, want)
	if len(missing) > 0 || len(unexpected) > 0 {
		return fmt.Errorf("%s: %q are missing, %q unexpected", path, missing, unexpected)
	}
	return nil
}

// list gathers a listing; the second result is about its form.
func (b *bench) list(ctx context.Context, l plugins.Lister, path string) (listing, error) {
	return gather(l.List(ctx, path))
}

func gather(seq iter.Seq2[plugins.Entry, error]) (l listing, form error) {
	seen := map[string]bool{}
	for e, err := range seq {
		switch {
		case l.err != nil:
			return l, errors.New("the listing went on after its error")
		case err != nil:
			if e.Name != "" || e.Kind != 0 || e.Size != 0 || e.ETag != "" || !e.ModTime.IsZero() {
				return l, fmt.Errorf("an error came with the entry %+v", e)
			}
			l.err = err
			continue
		case e.Name == "" || e.Name == "." || e.Name == ".." || strings.ContainsAny(e.Name, "/\x00"):
			return l, fmt.Errorf("an entry is named %q", e.Name)
		case seen[e.Name]:
			return l, fmt.Errorf("%q came twice", e.Name)
		case e.Kind != plugins.File && e.Kind != plugins.Directory:
			return l, fmt.Errorf("%q is of kind %d", e.Name, e.Kind)
		}
		seen[e.Name] = true
		l.entries = append(l.entries, e)
	}
	return l, nil
}

// read opens a range of path and reads it to the end.
func (b *bench) read(ctx context.Context, r plugins.Reader, path string, rng plugins.Range) (string, *plugins.Body, error) {
	body, err := r.Open(ctx, path, rng)
	if err != nil {
		return "", nil, err
	}
	data, err := io.ReadAll(body)
	if cerr := body.Close(); err == nil {
		err = cerr
	}
	return string(data), body, err
}

// promptly runs f and complains if it takes longer than patience.
func promptly(what string, f func() error) error {
	begin := time.Now()
	done := make(chan error, 1)
	go func() { done <- f() }()
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case err := <-done:
		return err
	case <-late.C:
		return fmt.Errorf("%s: still busy after %v", what, time.Since(begin).Round(time.Second))
	}
}

// client returns the HTTP client of an ordinary user.
func (b *bench) client() *http.Client {
	if b.s.Client != nil {
		return b.s.Client
	}
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
}

// journal is a log that is read while it is written.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}
