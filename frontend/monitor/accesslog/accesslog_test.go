package accesslog

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sink keeps what is written, and can hold it up or fail.
type sink struct {
	mu     sync.Mutex
	text   bytes.Buffer
	writes int
	hold   chan struct{}
	err    error
}

func (s *sink) Write(p []byte) (int, error) {
	if s.hold != nil {
		<-s.hold
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
	if s.err != nil {
		return 0, s.err
	}
	return s.text.Write(p)
}

var silent = slog.New(slog.DiscardHandler)

func entry() *Entry {
	return &Entry{
		Time: time.Date(2026, 11, 21, 11, 2, 3, 4_999_999, time.FixedZone("", 3600)), ID: "k7x2-9",
		Remote: netip.MustParseAddr("2001:db8::7"), User: "ann", Method: "GET", Path: "/atlas/data file",
		Status: 302, Bytes: 154, Took: 1234567 * time.Nanosecond, Endpoint: "geneva", Agent: "curl/8.5.0",
	}
}

func lines(t *testing.T, format Format, entries ...*Entry) string {
	t.Helper()
	var out sink
	l := New(&out, format, silent)
	for _, e := range entries {
		l.Write(e)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	return out.text.String()
}

func TestFormats(t *testing.T) {
	empty := &Entry{Time: time.Unix(0, 0), Took: -1, Proxied: true, Bytes: -1}
	for _, c := range []struct {
		format Format
		want   string
	}{
		{JSON, `{"time":"2026-11-21T10:02:03.004Z","id":"k7x2-9","remote":"2001:db8::7","user":"ann","method":"GET","path":"/atlas/data%20file","status":302,"bytes":154,"seconds":0.001234,"endpoint":"geneva","proxied":false,"agent":"curl/8.5.0"}
{"time":"1970-01-01T00:00:00.000Z","id":"","remote":"","user":"","method":"","path":"","status":0,"bytes":-1,"seconds":0.000000,"endpoint":"","proxied":true,"agent":""}
`},
		{Text, `time=2026-11-21T10:02:03.004Z id="k7x2-9" remote=2001:db8::7 user="ann" method="GET" path="/atlas/data%20file" status=302 bytes=154 seconds=0.001234 endpoint="geneva" proxied=false agent="curl/8.5.0"
time=1970-01-01T00:00:00.000Z id="" remote= user="" method="" path="" status=0 bytes=-1 seconds=0.000000 endpoint="" proxied=true agent=""
`},
	} {
		if diff := cmp.Diff(c.want, lines(t, c.format, entry(), empty)); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
}

func TestEscapes(t *testing.T) {
	for _, c := range []struct{ given, word, path string }{
		{"plain", "plain", "plain"},
		{`a"b\c`, `a\"b\\c`, `a%22b%5Cc`},
		{"a\r\nb\x00\x1b[31m\x7f", `a\u000D\u000Ab\u0000\u001B[31m\u007F`, `a%0D%0Ab%00%1B[31m%7F`},
		{"grün 東", "grün 東", "gr%C3%BCn%20%E6%9D%B1"},
		{"\xff\xc3", `\uFFFD\uFFFD`, "%FF%C3"},
		{"\u0085\u2028\u202e\ufeff", `\u0085\u2028\u202E\uFEFF`, "%C2%85%E2%80%A8%E2%80%AE%EF%BB%BF"},
		{"\U000e0001\U0001f600", `\uDB40\uDC01` + "\U0001f600", "%F3%A0%80%81%F0%9F%98%80"},
		{"50%?x#y", "50%?x#y", "50%25%3Fx%23y"},
	} {
		if got := string(word(nil, c.given, maxWord)); got != c.word {
			t.Errorf("%q is the word %s, want %s", c.given, got, c.word)
		}
		if got := string(path(nil, c.given)); got != c.path {
			t.Errorf("%q is the path %s, want %s", c.given, got, c.path)
		}
	}
	if got := string(word(nil, strings.Repeat("x", 9), 8)); got != "xxxxxxxx..." {
		t.Errorf("cut to %s", got)
	}
	if got := len(path(nil, strings.Repeat("\n", 1<<20))); got != 3*maxPath+len(cut) {
		t.Errorf("cut to %d bytes", got)
	}
}

// TestOften: a line is written within a second, at once where there are many,
// and nothing is written when there is nothing.
func TestOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out sink
		l := New(&out, JSON, silent)
		state := func() (int, int) {
			synctest.Wait()
			out.mu.Lock()
			defer out.mu.Unlock()
			return out.writes, bytes.Count(out.text.Bytes(), []byte("\n"))
		}
		l.Write(entry())
		time.Sleep(every - 1)
		if writes, _ := state(); writes != 0 {
			t.Error("written too soon")
		}
		time.Sleep(time.Nanosecond)
		if writes, n := state(); writes != 1 || n != 1 {
			t.Errorf("after a second: %d lines in %d writes", n, writes)
		}
		time.Sleep(time.Hour)
		many := enough/len(lines(t, JSON, entry())) + 1
		for range many {
			l.Write(entry())
		}
		if writes, n := state(); writes != 2 || n != 1+many {
			t.Errorf("after many: %d lines in %d writes", n, writes)
		}
		l.Write(entry())
		l.Close()
		l.Write(entry())
		if writes, n := state(); writes != 3 || n != 2+many {
			t.Errorf("after the end: %d lines in %d writes", n, writes)
		}
	})
}

// TestSlowDisk: nobody waits for the disk, and what is lost is told.
func TestSlowDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := sink{hold: make(chan struct{})}
		l := New(&out, JSON, silent)
		length := len(lines(t, JSON, entry()))
		l.Write(entry())
		time.Sleep(every) // the first write hangs from here on
		synctest.Wait()
		const lost = 1000
		room := full/length + 1
		for range room + lost {
			l.Write(entry())
		}
		close(out.hold)
		l.Close()
		text := out.text.String()
		if n := strings.Count(text, `"id":"k7x2-9"`); n != 1+room {
			t.Errorf("%d lines came through, want %d", n, 1+room)
		}
		if n := strings.Count(text, "{\"dropped\":1000}\n"); n != 1 {
			t.Errorf("the loss was told %d times: %s", n, text[len(text)-100:])
		}
	})
}

func TestFailingDisk(t *testing.T) {
	var said sink
	out := sink{err: errors.New("no space left")}
	l := New(&out, Text, slog.New(slog.NewTextHandler(&said, nil)))
	for range 3 {
		l.Write(entry())
		if err := l.Flush(); !errors.Is(err, out.err) {
			t.Errorf("got %v", err)
		}
	}
	l.Close()
	if n := strings.Count(said.text.String(), "no space left"); n != 1 {
		t.Errorf("said %d times:\n%s", n, &said.text)
	}
}

func FuzzLine(f *testing.F) {
	f.Add("ann", "GET", "/a b", "curl/8", "geneva")
	f.Add("\"\\", "\r\n", "\u2028\xff", "\x1b[0m\u202e", "\U000e0001")
	f.Fuzz(func(t *testing.T, user, method, path, agent, endpoint string) {
		e := &Entry{ID: user, User: user, Method: method, Path: path, Agent: agent, Endpoint: endpoint}
		var l Log
		line := l.json(nil, e)
		var read struct{ User, Method, Path, Agent, Endpoint string }
		if err := json.Unmarshal(line, &read); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		if len(user) <= maxWord && strings.ToValidUTF8(user, "") == user && read.User != user {
			t.Errorf("%q became %q", user, read.User)
		}
		for _, line := range [][]byte{line, l.text(nil, e)} {
			if len(line) > maxEntry {
				t.Errorf("%d bytes in %q", len(line), line)
			}
			if i := bytes.IndexFunc(line, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x202e }); i != len(line)-1 {
				t.Errorf("something at %d of %q", i, line)
			}
		}
	})
}

func TestNoAllocation(t *testing.T) {
	l, e := New(io.Discard, JSON, silent), entry()
	defer l.Close()
	if n := testing.AllocsPerRun(100, func() { l.Write(e) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkWrite(b *testing.B) {
	for name, format := range map[string]Format{"json": JSON, "text": Text} {
		b.Run(name, func(b *testing.B) {
			l, e := New(io.Discard, format, silent), entry()
			e.Path = "/atlas/rucio/data26/ab/cd/AOD.4711._000123.pool.root.1"
			e.Agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"
			defer l.Close()
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				e.Time = e.Time.Add(time.Microsecond)
				l.Write(e)
				if i%500 == 0 {
					l.Flush() // so that what is measured is not a full buffer
				}
			}
		})
	}
}
