package history

import (
	"strings"
	"testing"
	"time"
)

// op is an operation that takes from second began to ended. A "?" before its
// text means that nobody was told.
func op(kind Kind, path, version string, began, ended int, marks ...string) Op {
	o := Op{Kind: kind, Path: path, Version: Version(version), Began: time.Duration(began) * time.Second,
		Ended: time.Duration(ended) * time.Second, Done: true, Front: "one", Client: "c", Said: "said"}
	if kind == Move {
		o.To, o.Version = version, Absent
	}
	for _, m := range marks {
		switch m {
		case "?":
			o.Done = false
		default:
			o.Front = m
		}
	}
	return o
}

func TestJudge(t *testing.T) {
	for name, c := range map[string]struct {
		ops   []Op
		found map[string]Version
		want  string // path of the fault
	}{
		"written":               {[]Op{op(Put, "/a", "1", 0, 1)}, map[string]Version{"/a": "1"}, ""},
		"lost":                  {[]Op{op(Put, "/a", "1", 0, 1)}, nil, "/a"},
		"never asked for":       {nil, map[string]Version{"/a": "1"}, "/a"},
		"not acknowledged":      {[]Op{op(Put, "/a", "1", 0, 1, "?")}, nil, ""},
		"and yet done":          {[]Op{op(Put, "/a", "1", 0, 1, "?")}, map[string]Version{"/a": "1"}, ""},
		"older":                 {[]Op{op(Put, "/a", "1", 0, 1), op(Put, "/a", "2", 2, 3)}, map[string]Version{"/a": "1"}, "/a"},
		"older, not told":       {[]Op{op(Put, "/a", "1", 0, 1, "?"), op(Put, "/a", "2", 2, 3)}, map[string]Version{"/a": "1"}, "/a"},
		"either of two":         {[]Op{op(Put, "/a", "1", 0, 3), op(Put, "/a", "2", 2, 4)}, map[string]Version{"/a": "1"}, ""},
		"late, not told":        {[]Op{op(Put, "/a", "1", 0, 3, "?"), op(Put, "/a", "2", 2, 4)}, map[string]Version{"/a": "1"}, ""},
		"deleted":               {[]Op{op(Put, "/a", "1", 0, 1), op(Delete, "/a", "", 2, 3)}, nil, ""},
		"come back":             {[]Op{op(Put, "/a", "1", 0, 1), op(Delete, "/a", "", 2, 3)}, map[string]Version{"/a": "1"}, "/a"},
		"moved":                 {[]Op{op(Put, "/a", "1", 0, 1), op(Move, "/a", "/b", 2, 3)}, map[string]Version{"/b": "1"}, ""},
		"moved and lost":        {[]Op{op(Put, "/a", "1", 0, 1), op(Move, "/a", "/b", 2, 3)}, nil, "/b"},
		"moved and still there": {[]Op{op(Put, "/a", "1", 0, 1), op(Move, "/a", "/b", 2, 3)}, map[string]Version{"/a": "1", "/b": "1"}, "/a"},
		"moved twice":           {[]Op{op(Put, "/a", "1", 0, 1), op(Move, "/a", "/b", 2, 3), op(Move, "/b", "/a", 4, 5)}, map[string]Version{"/a": "1"}, ""},
		"moved, another":        {[]Op{op(Put, "/a", "1", 0, 1), op(Put, "/a", "2", 2, 3), op(Move, "/a", "/b", 4, 5)}, map[string]Version{"/b": "1"}, "/b"},
		"move not told":         {[]Op{op(Put, "/a", "1", 0, 1), op(Move, "/a", "/b", 2, 3, "?")}, map[string]Version{"/a": "1"}, ""},
		"and in part":           {[]Op{op(Put, "/a", "1", 0, 1), op(Move, "/a", "/b", 2, 3, "?")}, map[string]Version{"/a": "1", "/b": "1"}, ""},
		"and done":              {[]Op{op(Put, "/a", "1", 0, 1), op(Move, "/a", "/b", 2, 3, "?")}, map[string]Version{"/b": "1"}, ""},
		"and lost":              {[]Op{op(Put, "/a", "1", 0, 1), op(Move, "/a", "/b", 2, 3, "?")}, nil, "/b"},
		"and then deleted": {[]Op{op(Put, "/a", "1", 0, 1), op(Move, "/a", "/b", 2, 3, "?"), op(Delete, "/b", "", 4, 5)},
			nil, ""},
		"read":            {[]Op{op(Put, "/a", "1", 0, 1), op(Read, "/a", "1", 2, 2)}, map[string]Version{"/a": "1"}, ""},
		"read before":     {[]Op{op(Put, "/a", "1", 2, 3), op(Read, "/a", "1", 1, 1)}, map[string]Version{"/a": "1"}, "/a"},
		"read of nothing": {[]Op{op(Put, "/a", "1", 0, 1), op(Read, "/a", "", 2, 2)}, map[string]Version{"/a": "1"}, "/a"},
		"read of what went": {[]Op{op(Put, "/a", "1", 0, 1), op(Delete, "/a", "", 2, 3), op(Read, "/a", "1", 4, 4)},
			nil, "/a"},
		"elsewhere, soon after": {[]Op{op(Put, "/a", "1", 0, 1), op(Delete, "/a", "", 2, 3), op(Read, "/a", "1", 4, 4, "two")},
			nil, ""},
		"elsewhere, long after": {[]Op{op(Put, "/a", "1", 0, 1), op(Delete, "/a", "", 2, 3), op(Read, "/a", "1", 9, 9, "two")},
			nil, "/a"},
		"seen":          {[]Op{op(Put, "/a", "1", 0, 1), op(Read, "/a", "any", 2, 2)}, map[string]Version{"/a": "1"}, ""},
		"seen too long": {[]Op{op(Put, "/a", "1", 0, 1), op(Delete, "/a", "", 2, 3), op(Read, "/a", "any", 4, 4)}, nil, "/a"},
		"read where it was moved": {[]Op{op(Put, "/a", "1", 0, 1), op(Move, "/a", "/b", 2, 3), op(Read, "/b", "1", 4, 4)},
			map[string]Version{"/b": "1"}, ""},
		"read while it changes": {[]Op{op(Put, "/a", "1", 0, 1), op(Delete, "/a", "", 2, 5), op(Read, "/a", "1", 4, 4)},
			nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			l := New()
			for _, o := range c.ops {
				l.Add(o)
			}
			var got []string
			for _, f := range l.Judge(c.found, 2*time.Second) {
				got = append(got, f.Path)
			}
			if joined := strings.Join(got, " "); joined != c.want {
				t.Errorf("faults at %q, want %q\n%s", joined, c.want, l.Tell("/a", End))
			}
		})
	}
}

func TestCandidates(t *testing.T) {
	l := New()
	for _, o := range []Op{op(Put, "/a", "1", 0, 1), op(Put, "/a", "2", 2, 5, "?"), op(Move, "/a", "/b", 6, 7), op(Move, "/b", "/a", 6, 7)} {
		l.Add(o)
	}
	for _, c := range []struct {
		path     string
		from, to int
		want     string
	}{
		{"/a", 1, 1, "\x001"},
		{"/a", 2, 2, "1\x002"},
		{"/a", 9, 9, "\x001\x002"},
		{"/b", 2, 2, ""},
	} {
		var got []string
		for _, v := range l.Candidates(c.path, time.Duration(c.from)*time.Second, time.Duration(c.to)*time.Second) {
			got = append(got, string(v))
		}
		if joined := strings.Join(got, "\x00"); joined != c.want {
			t.Errorf("%s from %d to %d: %q, want %q", c.path, c.from, c.to, joined, c.want)
		}
	}
	if paths := strings.Join(l.Paths(), " "); paths != "/a /b" {
		t.Errorf("paths %s", paths)
	}
	l.Note(time.Second, "somebody dies")
	if told := l.Tell("/b", End); strings.Count(told, "\n") != 3 || !strings.Contains(told, "somebody dies") || !strings.Contains(told, "MOVE /a to /b by c at one: said") {
		t.Errorf("told:\n%s", told)
	}
}
