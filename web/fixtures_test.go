package web

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"
)

func newPages(tb testing.TB) *Pages {
	tb.Helper()
	p, err := New()
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// noon is when most sample files were changed.
var noon = time.Date(2026, 3, 12, 12, 0, 5, 0, time.UTC)

// hostile are names that try to be something else.
var hostile = []string{
	`<img src=x onerror=alert(1)>.txt`,
	`" onmouseover="alert(1)`,
	`'; alert(1); '`,
	"line\nbreak\tand\rmore",
	"invalid \xff\xfe utf-8 \xe2\x82",
	"javascript:alert(1)",
	":colon-first",
	"what?really#fragment%41%2e",
	"invoice\u202Efdp.exe",
	"zero\u200bwidth\ufeff",
	"שלום.txt",
	"日本語 データ.root",
	"family 👨\u200d👩\u200d👧.png",
	"  spaces  around  ",
	"&lt;entity&amp;.txt",
	"<!--",
	"]]>",
	"\\back\\slash",
	"...",
	"~tilde",
	"a+b;c=d,e@f!$(x)*",
	"\x7f\x1b[31m",
	"😀\U000E0041",
}

// sample is a directory like those of an experiment.
func sample() []Row {
	rows := []Row{
		{Name: "calibration", Directory: true, Size: -1, ModTime: noon.AddDate(0, -2, -9), Copies: []string{"geneva", "lyon"}},
		{Name: "run-2025", Directory: true, Size: -1, ModTime: noon.AddDate(0, -3, 4), Copies: []string{"geneva", "lyon", "karlsruhe", "chicago", "tokyo", "tape"}},
		{Name: "run-2026", Directory: true, Size: -1, Copies: []string{"geneva"}},
		{Name: "AOD.0001.root", Size: 2_415_919_104, ModTime: noon, Copies: []string{"geneva", "karlsruhe"}},
		{Name: "AOD.0002.root", Size: 2_147_483_648, ModTime: noon.Add(90 * time.Minute), Copies: []string{"geneva", "karlsruhe"}},
		{Name: "AOD.0003.root", Size: 1_987_654_321, ModTime: noon.AddDate(0, 0, 2), Copies: []string{"lyon"}, Diverged: true},
		{Name: "README.md", Size: 1532, ModTime: noon.AddDate(-1, 0, 0), Copies: []string{"geneva", "lyon", "karlsruhe", "chicago", "tokyo"}},
		{Name: "a-rather-long-name-of-a-file-such-as-production-systems-make-them.physics_Main.merge.AOD.r14736_p5511.pool.root.1", Size: 987_654, ModTime: noon, Copies: []string{"chicago", "geneva", "karlsruhe", "lyon"}},
		{Name: "empty.lock", Size: 0, ModTime: noon, Copies: []string{"lyon"}},
		{Name: "notes.txt", Size: 48_213, ModTime: noon, Copies: []string{"lyon", "tape"}},
		{Name: "unknown.dat", Size: -1, Copies: []string{"tape"}},
	}
	return rows
}

// silent are two endpoints that did not answer.
func silent() []Missing {
	return []Missing{{"tokyo", "timed out"}, {"osaka", "refused the connection"}}
}

func samplePage(path string) Page {
	return Page{
		Title: "Example federation", Base: "/", Path: path,
		User: "Ada Lovelace", RequestID: "01JQ7K9ZR3", Dashboard: true,
		Alternates: []Link{
			{"JSON", "?format=json", "application/json"},
			{"metalink", "?metalink", "application/metalink4+xml"},
		},
	}
}

func sampleExplain() ExplainPage {
	return ExplainPage{
		Page:     samplePage("/atlas/AOD.0001.root"),
		Facts:    []Fact{{"Size", "2.3 GiB (2,415,919,104 bytes)"}, {"Modified", "2026-03-12 12:00:05 UTC"}, {"adler32", "0c4a11d2"}},
		Download: "/atlas/AOD.0001.root",
		Columns:  []string{"Endpoint", "Site", "Distance", "Latency", "Load", "Decided by"},
		Replicas: []Replica{
			{"https://dav.geneva.example/atlas/AOD.0001.root", []string{"geneva", "GENEVA", "12 km", "4 ms", "3 / 64", "same site as you"}, true},
			{"https://se.karlsruhe.example/AOD.0001.root", []string{"karlsruhe", "KIT", "400 km", "11 ms", "20 / 64", "nearer than chicago"}, true},
			{"javascript:alert(1)", []string{"chicago", "FNAL", "7,100 km", "98 ms", "1 / 64", "farthest"}, true},
			{"", []string{"tape", "GENEVA", "12 km", "", "", "size differs: 2.2 GiB"}, false},
		},
		Silent: silent()[:1],
		Notes:  []string{"You were taken to be at GENEVA by your address."},
	}
}

func sampleDirectory() ExplainPage {
	return ExplainPage{
		Page: samplePage("/atlas/<i>/"), Directory: true,
		Facts:    []Fact{{"Modified", "2026-03-12 12:00:05 UTC"}},
		Download: "/atlas/%3Ci%3E/",
		Columns:  []string{"Endpoint", "Site", "State"},
		Replicas: []Replica{
			{"", []string{"geneva", "GENEVA", "up"}, true},
			{"", []string{"tape", "<b>", "down: timed out"}, false},
		},
		Silent: silent()[:1],
	}
}

func sampleIndex() IndexPage {
	page := samplePage("")
	page.Alternates = []Link{{"JSON", "?format=json", "application/json"}}
	return IndexPage{Page: page, Places: []Place{
		{"/-/healthz", true, "GET, HEAD", "whether the process is alive"},
		{"/-/api/v1/replicas", false, "POST", "the replicas of many paths"},
	}}
}

// many yields n files as a large directory holds them, each with three copies.
func many(n int) iter.Seq[Row] {
	sets := [][]string{{"geneva", "karlsruhe", "lyon"}, {"geneva", "chicago", "tokyo"}}
	names := make([]string, min(n, 10_000))
	for i := range names {
		names[i] = fmt.Sprintf("AOD.%08d._%06d.pool.root.1", 41_000_000+i/37, i)
	}
	return func(yield func(Row) bool) {
		for i := range n {
			r := Row{
				Name: names[i%len(names)], Size: int64(i*7919%1_000_003) << 12,
				ModTime: noon.Add(time.Duration(i*104_729%1_000_000) * time.Second),
				Copies:  sets[i/3%2],
			}
			if !yield(r) {
				return
			}
		}
	}
}

func hostileRows() []Row {
	var rows []Row
	for i, name := range hostile {
		rows = append(rows, Row{Name: name, Directory: i%5 == 3, Size: int64(i), ModTime: noon, Copies: []string{`<b>&"'`}, Diverged: i%7 == 1})
	}
	slices.SortFunc(rows, func(a, b Row) int { return strings.Compare(a.Name, b.Name) })
	return rows
}
