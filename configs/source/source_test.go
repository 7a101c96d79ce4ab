package source_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"canopy/configs/source"

	"go.yaml.in/yaml/v3"
)

func environment(name string) (string, bool) {
	v, ok := map[string]string{"A": "alpha", "YAML": "x: [1]\ny: 2", "LOOP": "${A}", "EMPTY": ""}[name]
	return v, ok
}

// title returns what becomes of a value.
func title(t *testing.T, value string) (string, source.Problems) {
	t.Helper()
	n, problems := source.Parse("f", []byte("title: "+value+"\n"), environment)
	if len(problems) > 0 {
		return "", problems
	}
	return n.Content[1].Value, nil
}

func TestExpand(t *testing.T) {
	for value, want := range map[string]string{
		"${A}":               "alpha",
		"a${A}b${A}c":        "aalphabalphac",
		"'${EMPTY}'":         "",
		"${YAML}":            "x: [1]\ny: 2",
		"${LOOP}":            "${A}", // once only
		"$${A}":              "${A}",
		"$$${A}":             "$${A}",
		"$A $ $$ {A} $1":     "$A $ $$ {A} $1",
		`"\x24{A}"`:          "alpha",
		"'x$${ y ${A} $${z}": "",
	} {
		got, problems := title(t, value)
		if strings.HasPrefix(value, "'x") {
			if len(problems) != 1 {
				t.Errorf("%s: %v", value, problems)
			}
			continue
		}
		if len(problems) > 0 || got != want {
			t.Errorf("%s gives %q, want %q; %v", value, got, want, problems)
		}
	}
	for _, value := range []string{"${B}", "${", "x${}y", "${A", "${A B}", "${1}", "${A-b}"} {
		if _, problems := title(t, value); len(problems) != 1 || problems[0].Position != (source.Position{Line: 1, Column: 8}) {
			t.Errorf("%s: %v", value, problems)
		}
	}
}

// A variable adds no keys and no items, whatever it holds.
func TestNoInjection(t *testing.T) {
	n, problems := source.Parse("f", []byte("a: ${YAML}\n${A}: b\n"), environment)
	if len(problems) > 0 || len(n.Content) != 4 || n.Content[1].Kind != yaml.ScalarNode || n.Content[2].Value != "${A}" {
		t.Errorf("%v, %v", n.Content, problems)
	}
}

// Escape is undone by expansion.
func FuzzEscape(f *testing.F) {
	for _, s := range []string{"", "${A}", "$${A}", "$$${", "a$", "{$"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		node := &yaml.Node{}
		node.SetString(source.Escape(s))
		text, err := yaml.Marshal(&yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{{Kind: yaml.ScalarNode, Value: "k"}, node}})
		if err != nil || !utf8.ValidString(s) {
			return
		}
		n, problems := source.Parse("f", text, environment)
		if len(problems) > 0 || n.Content[1].Value != s {
			t.Fatalf("%q: %s %v", s, text, problems)
		}
	})
}

// The tree has no aliases left, and places that lie within the text.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "a: 1", "a: &x [*x]", "a: &x {b: c}\nd: {<<: *x, e: [*x]}", "? [a]\n: b", "--- a\n--- b", "a: !!binary x", "<<: {a: b}", "a: |\n  x\n", "\xff", "\t", "a: ${A}$${"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		n, problems := source.Parse("f", text, environment)
		lines := strings.Count(string(text), "\n") + strings.Count(string(text), "\r") + strings.Count(string(text), "\u2028") +
			strings.Count(string(text), "\u2029") + strings.Count(string(text), "\u0085") + 2
		for _, p := range problems {
			if p.Line < 1 || p.Line > lines || p.Column < 1 {
				t.Fatalf("%+v is not within %d lines", p, lines)
			}
		}
		if n == nil {
			if len(problems) == 0 {
				t.Fatal("neither a tree nor a problem")
			}
			return
		}
		plain(t, n)
	})
}

func plain(t *testing.T, n *yaml.Node) {
	if n.Kind == yaml.AliasNode || n.Anchor != "" || n.Kind == yaml.MappingNode && len(n.Content)%2 != 0 {
		t.Fatalf("%+v is left", n)
	}
	for _, c := range n.Content {
		plain(t, c)
	}
}

func TestNearest(t *testing.T) {
	keys := []string{"mount", "name", "type", "translate", "credentials", "read"}
	for word, want := range map[string]string{
		"mont": "mount", "mounts": "mount", "nmae": "name", "typ": "type", "translation": "translate", "credentails": "credentials",
		"x": "", "completely": "", "raed": "read", strings.Repeat("m", 1000): "",
	} {
		if got := source.Nearest(word, keys); got != want {
			t.Errorf("%.20s: %q, want %q", word, got, want)
		}
	}
}

func TestProblemIsOneLine(t *testing.T) {
	p := source.Problem{File: "f", Position: source.Position{Line: 3, Column: 4}, Path: "a.b", Text: "x\ny\x1b[2J"}
	if got, want := p.Error(), "f:3:4: a.b: x y [2J"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSort(t *testing.T) {
	at := func(l, c int, text string) source.Problem {
		return source.Problem{File: "f", Position: source.Position{Line: l, Column: c}, Text: text}
	}
	got := source.Problems{at(2, 1, "c"), at(1, 2, "b"), at(1, 1, "a"), at(2, 1, "c"), at(2, 1, "d")}.Sort().Error()
	if want := "f:1:1: a\nf:1:2: b\nf:2:1: c\nf:2:1: d"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
