package web

import (
	"bytes"
	"errors"
	"io"
	"math"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"
)

// parsed renders a listing and returns the rows of its entries.
func parsed(tb testing.TB, l Listing) []*html.Node {
	tb.Helper()
	p := newPages(tb)
	var b bytes.Buffer
	if err := p.Listing(&b, l); err != nil {
		tb.Fatal(err)
	}
	doc, err := html.Parse(&b)
	if err != nil {
		tb.Fatal(err)
	}
	var rows []*html.Node
	for _, tr := range elements(doc, "tr") {
		if tr.Parent.Data == "tbody" && attribute(tr.Parent, "class") != "up" {
			rows = append(rows, tr)
		}
	}
	return rows
}

// checkRow checks that a row of a page says and leads to what it should, and
// that it holds no element but its own.
func checkRow(tb testing.TB, tr *html.Node, r Row) {
	tb.Helper()
	var tags []string
	for d := range tr.Descendants() {
		if d.Type == html.ElementNode {
			tags = append(tags, d.Data)
		}
	}
	want := []string{"th"}
	if linkable(r.Name) {
		want = append(want, "a", "bdi")
	} else {
		want = append(want, "span", "bdi")
	}
	if r.Directory {
		want = append(want, "i")
	}
	if r.Diverged {
		want = append(want, "em")
	}
	want = append(want, "td", "td")
	if !r.ModTime.IsZero() {
		want = append(want, "time")
	}
	want = append(want, "td")
	if len(r.Copies) > 0 {
		if linkable(r.Name) {
			want = append(want, "a")
		}
		want = append(want, "b")
	}
	for range r.Copies {
		want = append(want, "span", "bdi")
	}
	if diff := cmp.Diff(want, tags); diff != "" {
		tb.Errorf("%q: elements (-want +got)\n%s", r.Name, diff)
		return
	}
	bdis := elements(tr, "bdi")
	if got := text(bdis[0]); got != Visible(r.Name) {
		tb.Errorf("%q is shown as %q, want %q", r.Name, got, Visible(r.Name))
	}
	for i, name := range r.Copies {
		if got := text(bdis[i+1]); got != Visible(name) {
			tb.Errorf("endpoint %q is shown as %q", name, got)
		}
	}
	base := &url.URL{Scheme: "https", Host: "federation.example", Path: "/base/"}
	for i, a := range elements(tr, "a") {
		target, err := base.Parse(attribute(a, "href"))
		if err != nil {
			tb.Errorf("%q: %v", r.Name, err)
			continue
		}
		path, query := "/base/"+r.Name, ""
		if r.Directory {
			path += "/"
		}
		if i == 1 {
			query = "explain"
		}
		if target.Path != path || target.RawQuery != query || target.Host != base.Host || target.Scheme != "https" || target.Fragment != "" {
			tb.Errorf("%q leads to %q", r.Name, target)
		}
	}
}

func TestHostileNames(t *testing.T) {
	rows := hostileRows()
	for _, name := range []string{"", ".", "..", "a/b", "nul\x00"} {
		rows = append(rows, Row{Name: name, Copies: []string{"x"}})
	}
	trs := parsed(t, Listing{Page: samplePage("/"), Entries: slices.Values(rows), Federated: true})
	if len(trs) != len(rows) {
		t.Fatalf("%d rows, want %d", len(trs), len(rows))
	}
	for i, tr := range trs {
		checkRow(t, tr, rows[i])
	}
}

func TestChunks(t *testing.T) {
	for _, n := range []int{0, 1, 99, 100, 101, 200, 201, 1000} {
		trs := parsed(t, Listing{Entries: many(n)})
		if len(trs) != n {
			t.Errorf("%d rows, want %d", len(trs), n)
		}
		for i, tr := range trs {
			if i > 0 && (tr.Parent != trs[i-1].Parent) != (i%chunkRows == 0) {
				t.Errorf("of %d rows, a chunk begins at row %d", n, i)
			}
		}
	}
}

func TestSortLinks(t *testing.T) {
	for _, test := range []struct {
		sort       Column
		descending bool
		want       []string
	}{
		{"", false, []string{"ascending name desc", " size desc", " time desc"}},
		{ByName, true, []string{"descending name asc", " size desc", " time desc"}},
		{BySize, true, []string{" name asc", "descending size asc", " time desc"}},
		{ByTime, false, []string{" name asc", " size desc", "ascending time desc"}},
	} {
		var got []string
		for _, h := range (Listing{Sort: test.sort, Descending: test.descending}).columns() {
			got = append(got, h.Sorted+" "+strings.ReplaceAll(strings.TrimPrefix(h.Href, "?sort="), "&order=", " "))
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("sorted by %q, descending %t (-want +got)\n%s", test.sort, test.descending, diff)
		}
	}
}

// recorder notes what happens in which order, and fails when told to.
type recorder struct {
	events []string
	fail   error
}

func (r *recorder) Write(p []byte) (int, error) {
	r.events = append(r.events, "write")
	return len(p), r.fail
}

// TestStreams checks that the frame is written before an entry is asked for,
// rows in large pieces, and the silent endpoints last.
func TestStreams(t *testing.T) {
	var w recorder
	err := newPages(t).Listing(&w, Listing{
		Entries: func(yield func(Row) bool) {
			w.events = append(w.events, "first")
			for r := range many(1000) {
				if !yield(r) {
					t.Error("stopped")
				}
			}
			w.events = append(w.events, "last")
		},
		Missing: func() []Missing {
			w.events = append(w.events, "missing")
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	got := slices.Compact(w.events)
	if diff := cmp.Diff([]string{"write", "first", "write", "last", "write", "missing", "write"}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if n := len(w.events); n > 20 {
		t.Errorf("a thousand rows took %d steps", n)
	}
}

func TestStopsWhenTheReaderIsGone(t *testing.T) {
	gone := errors.New("gone")
	asked := 0
	w := &recorder{}
	err := newPages(t).Listing(w, Listing{
		Entries: func(yield func(Row) bool) {
			w.fail = gone
			for r := range many(1_000_000) {
				asked++
				if !yield(r) {
					return
				}
			}
		},
		Missing: func() []Missing { t.Error("asked for what is missing"); return nil },
	})
	if !errors.Is(err, gone) {
		t.Errorf("error %v, want %v", err, gone)
	}
	if asked > 1000 {
		t.Errorf("%d entries were asked for", asked)
	}
}

func TestFoot(t *testing.T) {
	file := Row{Name: "f", Size: 1023}
	for _, test := range []struct {
		rows    []Row
		missing []Missing
		want    string
	}{
		{nil, nil, "This directory is empty."},
		{nil, silent(), "No endpoint that answered has anything here."},
		{[]Row{file}, nil, `1 file, 0 directories, <span title="1,023 bytes">1023 B</span>`},
		{[]Row{file, {Name: "u", Size: -1}}, silent()[:1], `2 files, 0 directories, <span title="1,023 bytes">at least 1023 B</span>`},
		{[]Row{{Name: "d", Directory: true, Size: 4096}}, nil, "0 files, 1 directory</p>"},
		{[]Row{file, {Name: "m", Size: math.MaxInt64}}, nil, `<span title="9,223,372,036,854,775,807 bytes">8.0 EiB</span>`},
		{[]Row{file}, silent()[:1], "One endpoint did not answer"},
		{[]Row{file}, silent(), "2 endpoints did not answer"},
	} {
		var b bytes.Buffer
		err := newPages(t).Listing(&b, Listing{Entries: slices.Values(test.rows), Missing: func() []Missing { return test.missing }})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.String(), test.want) {
			t.Errorf("%v, missing %v: no %q", test.rows, test.missing, test.want)
		}
		if got := strings.Contains(b.String(), `id="missing"`); got != (len(test.missing) > 0) {
			t.Errorf("%v, missing %v: banner %t", test.rows, test.missing, got)
		}
	}
}

// TestConcurrent checks that pages written at once do not mix.
func TestConcurrent(t *testing.T) {
	p := newPages(t)
	render := func(n int) string {
		var b bytes.Buffer
		if err := p.Listing(&b, Listing{Page: samplePage("/"), Entries: many(n), Federated: n%2 == 0}); err != nil {
			t.Error(err)
		}
		return b.String()
	}
	var wg sync.WaitGroup
	for n := range 16 {
		want := render(n * 50)
		wg.Go(func() {
			for range 4 {
				if render(n*50) != want {
					t.Errorf("a page of %d rows came out differently", n*50)
				}
			}
		})
	}
	wg.Wait()
}

// TestAllocations holds the writing of rows to none for each.
func TestAllocations(t *testing.T) {
	p := newPages(t)
	few, lots := Listing{Entries: many(10), Federated: true}, Listing{Entries: many(10_000), Federated: true}
	measure := func(l Listing) float64 {
		return testing.AllocsPerRun(5, func() {
			if err := p.Listing(io.Discard, l); err != nil {
				t.Error(err)
			}
		})
	}
	if a, b := measure(few), measure(lots); b > a+100 {
		t.Errorf("10 rows cost %.0f allocations, 10,000 cost %.0f", a, b)
	}
}

func BenchmarkListing10k(b *testing.B) {
	p := newPages(b)
	rows := slices.Collect(many(10_000))
	l := Listing{Page: samplePage("/large/"), Entries: slices.Values(rows), Federated: true}
	var size bytes.Buffer
	if err := p.Listing(&size, l); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(size.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if err := p.Listing(io.Discard, l); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(rows)), "ns/row")
}

// FuzzRow checks that no name and no endpoint gets out of its place.
func FuzzRow(f *testing.F) {
	for i, name := range hostile {
		f.Add(name, "geneva", i%2 == 0, i%3 == 0, int64(i), int64(i)<<30)
	}
	for _, name := range []string{"", ".", "..", "/", "\x00", "\xff"} {
		f.Add(name, name, false, true, int64(-1), int64(0))
	}
	f.Fuzz(func(t *testing.T, name, endpoint string, directory, diverged bool, size, seconds int64) {
		r := Row{Name: name, Directory: directory, Diverged: diverged, Size: size, Copies: []string{endpoint}}
		// The years that have a form.
		if at := time.Unix(seconds, 0); seconds != 0 && at.UTC().Year() >= 0 && at.UTC().Year() <= 9999 {
			r.ModTime = at
		}
		var rw rowWriter
		rw.reset(true)
		rw.add(&r)
		doc, err := html.Parse(strings.NewReader("<table><tbody>" + string(rw.buf) + "</tbody></table>"))
		if err != nil {
			t.Fatal(err)
		}
		trs := elements(doc, "tr")
		// What does not belong into a table is put before it by the parser.
		body := elements(doc, "body")[0]
		if len(trs) != 1 || body.FirstChild != body.LastChild || body.FirstChild.Data != "table" {
			t.Fatalf("something got out of the table: %s", rw.buf)
		}
		checkRow(t, trs[0], r)
	})
}
