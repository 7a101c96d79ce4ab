package metalink

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"canopy/plugins"
	"canopy/plugins/wire/link"
)

func TestCopies(t *testing.T) {
	f := File{URLs: []URL{
		{"https://a.example/x?sig=%2b%2B&y=a,b;c", 2, "ch"},
		{"HTTP://b.example:8080/x", 0, "CERN-PROD"},
		{"davs://c.example/x", 1, "D3"},
		{"dav://d.example/x", 1, "FR"},

		{"https://user:secret@e.example/x", 1, ""},
		{"ftp://f.example/x", 1, ""},
		{"root://g.example//x", 1, ""},
		{"javascript:alert(1)", 1, ""},
		{"//h.example/x", 1, ""},
		{"/x", 1, ""},
		{"https:///x", 1, ""},
		{"https://i.example/a b", 1, ""},
		{"https://j.example/\r\nX: y", 1, ""},
		{"https://k.example/é", 1, ""},
		{"https://l.example/%zz", 1, ""},
		{"https://m.example/x#part", 1, ""},
		{"https://n.example/<x>", 1, ""},
		{"https://:443/x", 1, ""},
		{"", 1, ""},
	}}
	want := []plugins.Copy{
		{URL: "https://a.example/x?sig=%2b%2B&y=a,b;c", Priority: 2, Country: "CH"},
		{URL: "http://b.example:8080/x"},
		{URL: "https://c.example/x", Priority: 1},
		{URL: "http://d.example/x", Priority: 1, Country: "FR"},
	}
	if diff := cmp.Diff(want, f.Copies(100)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if diff := cmp.Diff(want[:2], f.Copies(2)); diff != "" {
		t.Errorf("limited: -want +got\n%s", diff)
	}
}

func TestDuplicates(t *testing.T) {
	links := link.Parse(
		`<https://a/f?metalink>; rel=describedby; type="application/metalink4+xml"`,
		`<https://b/f>; rel=duplicate; pri=1; geo=gb, </f>; rel=duplicate, <https://c/f>; rel=duplicate; anchor="/g"`,
		`<https://d/f>; rel="alternate duplicate"`,
	)
	want := []plugins.Copy{{URL: "https://b/f", Priority: 1, Country: "GB"}, {URL: "https://d/f"}}
	if diff := cmp.Diff(want, Duplicates(links, 100)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if diff := cmp.Diff(want[:1], Duplicates(links, 1)); diff != "" {
		t.Errorf("limited: -want +got\n%s", diff)
	}
}
