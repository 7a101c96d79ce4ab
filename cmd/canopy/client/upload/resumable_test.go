package upload

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"canopy/cmd/canopy/client"
	"canopy/plugins"
)

// pieces is a server that takes files in pieces, for a memory.
type pieces struct {
	*memory
	most  int64
	asked int
	have  map[string]string // by upload
	size  map[string]int64
	calls []string
	// begin, offset and add are asked before each such call what is to go
	// wrong with it; add also how many bytes come nevertheless.
	begin, offset func(call int) error
	add           func(call int) (int64, error)
	begins, adds  int
	offsets       int
}

func (p *pieces) Resumes(context.Context, client.Address) (int64, error) {
	p.asked++
	return p.most, nil
}

func (p *pieces) Begin(_ context.Context, _ client.Address, size int64, isNew bool) (string, error) {
	p.calls = append(p.calls, "begin")
	p.begins++
	if p.begin != nil {
		if err := p.begin(p.begins); err != nil {
			return "", err
		}
	}
	if _, there := p.files[path]; there && isNew {
		return "", &plugins.Error{Kind: plugins.Exists}
	}
	at := "/-/uploads/" + strings.Repeat("x", p.begins)
	p.have[at], p.size[at] = "", size
	return at, nil
}

func (p *pieces) Offset(_ context.Context, _ client.Address, at string) (int64, int64, error) {
	p.calls = append(p.calls, "offset")
	p.offsets++
	if p.offset != nil {
		if err := p.offset(p.offsets); err != nil {
			return 0, 0, err
		}
	}
	if _, there := p.size[at]; !there {
		return 0, 0, errGone
	}
	return int64(len(p.have[at])), p.size[at], nil
}

func (p *pieces) Append(ctx context.Context, to client.Address, at string, offset int64, piece io.Reader, size int64) (int64, error) {
	p.calls = append(p.calls, "append")
	p.adds++
	if int64(len(p.have[at])) != offset {
		return 0, &plugins.Error{Kind: plugins.Changed}
	}
	var failed error
	if p.add != nil {
		var n int64
		if n, failed = p.add(p.adds); failed != nil {
			piece = io.LimitReader(piece, n)
		}
	}
	b, err := io.ReadAll(piece)
	p.have[at] += string(b)
	if plugins.KindOf(failed).Silent() || failed == nil {
		if int64(len(p.have[at])) == p.size[at] {
			p.put(to.Path, []byte(p.have[at]))
		}
	}
	if err := errors.Join(failed, err, ctx.Err()); err != nil {
		return 0, plugins.Fail("append", at, err)
	}
	return offset + int64(len(b)), nil
}

func (p *pieces) Abandon(_ context.Context, _ client.Address, at string) error {
	p.calls = append(p.calls, "abandon")
	delete(p.size, at)
	return nil
}

const long = "the content of a file that goes in pieces"

// newPieces is a run to a server that takes the file in pieces of 10 bytes.
func newPieces(t *testing.T, content string) (*run, *pieces, *Resumable) {
	r := newRun(t, content)
	p := &pieces{memory: r.memory, most: 1000, have: make(map[string]string), size: make(map[string]int64)}
	s := &Resumable{
		Whole: r.memory, Pieces: p, Patience: r.Patience, Memory: Memory(filepath.Join(t.TempDir(), "uploads")),
		Notice: func(s string) { r.notices = append(r.notices, s) }, Least: 10, Piece: 10,
	}
	r.Sender = s
	return r, p, s
}

func (s *Resumable) notes() int {
	entries, _ := os.ReadDir(string(s.Memory))
	return len(entries)
}

func TestPieces(t *testing.T) {
	r, p, s := newPieces(t, long)
	result, err := r.File(t.Context(), r.job)
	if err != nil || result.Size != int64(len(long)) || result.Verified.Algorithm != DefaultChecksum {
		t.Errorf("%+v, %v", result, err)
	}
	r.holds(t, long)
	if got := strings.Join(p.calls, " "); got != "begin append append append append append" || r.progress != int64(len(long)) || s.notes() != 0 || r.stores != 0 {
		t.Errorf("%s, %d bytes, %d notes, %d times at once", got, r.progress, s.notes(), r.stores)
	}
}

// TestWhole sends at once what cannot go in pieces.
func TestWhole(t *testing.T) {
	for name, set := range map[string]func(*run, *pieces){
		"small":     func(r *run, p *pieces) { r.Sender.(*Resumable).Least = 1000 },
		"too large": func(r *run, p *pieces) { p.most = 10 },
		"not there": func(r *run, p *pieces) { p.most = 0 },
		"no room": func(r *run, p *pieces) {
			p.begin = func(int) error { return &plugins.Error{Kind: plugins.Full} }
		},
		"a stream": func(r *run, p *pieces) { r.job.Source = FromStream(strings.NewReader(long)) },
	} {
		t.Run(name, func(t *testing.T) {
			r, p, _ := newPieces(t, long)
			set(r, p)
			if _, err := r.File(t.Context(), r.job); err != nil || r.stores != 1 || p.adds != 0 || p.asked > 1 {
				t.Errorf("%v, %d times at once, %d pieces, asked %d times", err, r.stores, p.adds, p.asked)
			}
			r.holds(t, long)
		})
	}
}

// TestBroken breaks connections: as long as something comes it goes on.
func TestBroken(t *testing.T) {
	r, p, s := newPieces(t, long)
	p.add = func(call int) (int64, error) { return 3, errCut }
	p.offset = func(call int) error {
		if call%3 == 1 {
			return errBusy
		}
		return nil
	}
	if _, err := r.File(t.Context(), r.job); err != nil || p.begins != 1 || r.progress != int64(len(long)) || s.notes() != 0 {
		t.Errorf("%v, begun %d times, %d bytes, %d notes", err, p.begins, r.progress, s.notes())
	}
	r.holds(t, long)
}

func TestGivesUp(t *testing.T) {
	for name, c := range map[string]struct {
		set   func(*pieces)
		kind  plugins.Kind
		notes int
		calls string
	}{
		"nothing comes": {func(p *pieces) { p.add = func(int) (int64, error) { return 0, errCut } }, plugins.Unavailable, 1, ""},
		"no right":      {func(p *pieces) { p.begin = func(int) error { return errDenied } }, plugins.Denied, 0, "begin"},
		"forgetful":     {func(p *pieces) { p.add = func(int) (int64, error) { return 0, errGone } }, plugins.Faulty, 0, ""},
		"wrong":         {func(p *pieces) { p.add = func(int) (int64, error) { return 10, &plugins.Error{Kind: plugins.Invalid} } }, plugins.Invalid, 0, "begin append abandon"},
		"too late":      {func(p *pieces) { p.add = func(int) (int64, error) { return 10, &plugins.Error{Kind: plugins.Exists} } }, plugins.Exists, 0, "begin append abandon"},
	} {
		t.Run(name, func(t *testing.T) {
			r, p, s := newPieces(t, long)
			c.set(p)
			_, err := r.File(t.Context(), r.job)
			if plugins.KindOf(err) != c.kind || s.notes() != c.notes || c.calls != "" && c.calls != strings.Join(p.calls, " ") {
				t.Errorf("%v, %d notes, %q", err, s.notes(), p.calls)
			}
			r.holds(t, "")
		})
	}
}

// TestNextRun goes on with what an interrupted run has begun.
func TestNextRun(t *testing.T) {
	r, p, s := newPieces(t, long)
	ctx, interrupt := context.WithCancel(t.Context())
	p.add = func(call int) (int64, error) {
		if call == 3 {
			interrupt()
			return 4, errCut
		}
		return 0, nil
	}
	if _, err := r.File(ctx, r.job); err == nil || s.notes() != 1 {
		t.Fatalf("%v, %d notes", err, s.notes())
	}
	r.holds(t, "")
	p.add, p.calls = nil, nil
	if _, err := r.File(t.Context(), r.job); err != nil || s.notes() != 0 {
		t.Errorf("%v, %d notes", err, s.notes())
	}
	r.holds(t, long)
	if got := strings.Join(p.calls, " "); got != "offset append append" || len(r.notices) != 1 || r.notices[0] != "https://host/dir/f: resuming at 24 bytes" {
		t.Errorf("%s, %q", got, r.notices)
	}
}

// TestChangedFile does not go on with another content.
func TestChangedFile(t *testing.T) {
	for name, change := range map[string]func(*run, *pieces){
		"time":      func(r *run, p *pieces) { r.job.Source.ModTime = time.Unix(901, 0) },
		"forgotten": func(r *run, p *pieces) { clear(p.size) },
		"other size there": func(r *run, p *pieces) {
			for at := range p.size {
				p.size[at]++
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, p, _ := newPieces(t, long)
			ctx, interrupt := context.WithCancel(t.Context())
			p.add = func(call int) (int64, error) { interrupt(); return 4, errCut }
			if _, err := r.File(ctx, r.job); err == nil {
				t.Fatal("no error")
			}
			p.add = nil
			change(r, p)
			if _, err := r.File(t.Context(), r.job); err != nil || p.begins != 2 || len(r.notices) > 0 {
				t.Errorf("%v, begun %d times, %q", err, p.begins, r.notices)
			}
			r.holds(t, long)
		})
	}
}

// TestSlowStore waits for a server that stores what it has got, and then finds
// that it has.
func TestSlowStore(t *testing.T) {
	r, p, _ := newPieces(t, long)
	p.add = func(call int) (int64, error) {
		if call == 5 {
			return 10, &plugins.Error{Kind: plugins.Timeout}
		}
		return 0, nil
	}
	p.offset = func(call int) error {
		if call < 50 {
			return errBusy
		}
		p.put(path, []byte(long))
		return nil
	}
	if _, err := r.File(t.Context(), r.job); err != nil || p.begins != 1 || p.adds != 5 {
		t.Errorf("%v, begun %d times, %d pieces", err, p.begins, p.adds)
	}
	r.holds(t, long)
}

func TestMemory(t *testing.T) {
	m := Memory(filepath.Join(t.TempDir(), "a", "b"))
	m.remember("one", "/-/uploads/x")
	if info, err := os.Stat(filepath.Join(string(m), "one")); err != nil || info.Mode().Perm() != 0o600 || m.recall("one") != "/-/uploads/x" {
		t.Errorf("%v, %v, %q", info, err, m.recall("one"))
	}
	old := time.Now().Add(-2 * maxAge)
	if err := os.Chtimes(filepath.Join(string(m), "one"), old, old); err != nil {
		t.Fatal(err)
	}
	m.remember("two", "/-/uploads/y")
	if m.recall("one") != "" || m.recall("two") == "" {
		t.Error("an old note stays, or a new one goes")
	}
	for _, text := range []string{"", "x", "/a\nb", "/" + strings.Repeat("a", maxNote)} {
		if err := os.WriteFile(filepath.Join(string(m), "two"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := m.recall("two"); got != "" {
			t.Errorf("%.20q is %.20q", text, got)
		}
	}
	m.forget("two")
	if entries, err := os.ReadDir(string(m)); err != nil || len(entries) != 0 {
		t.Errorf("%v, %v", entries, err)
	}
	nowhere := Memory(filepath.Join(os.DevNull, "x"))
	nowhere.remember("one", "/x")
	nowhere.forget("one")
	if nowhere.recall("one") != "" || Memory("").recall("one") != "" {
		t.Error("remembered nowhere")
	}
}

func TestAmount(t *testing.T) {
	for n, want := range map[int64]string{0: "0 bytes", 1023: "1023 bytes", 1024: "1.0 KiB", 3435973837: "3.2 GiB", 1 << 62: "4096.0 PiB"} {
		if got := amount(n); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
}
