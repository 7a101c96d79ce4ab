package decode_test

import (
	"math"
	"testing"

	"canopy/configs/decode"
	"canopy/configs/source"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

type leaf struct {
	N int `yaml:"n"`
}

func (l *leaf) SetDefaults() { l.N = 7 }

type password string

type tree struct {
	Small   int8             `yaml:"small"`
	Count   uint16           `yaml:"count"`
	Ratio   float32          `yaml:"ratio"`
	On      bool             `yaml:"on"`
	Leaf    *leaf            `yaml:"leaf"`
	Leaves  []leaf           `yaml:"leaves"`
	Pair    [2]int           `yaml:"pair"`
	Named   map[string]*leaf `yaml:"named"`
	Secret  password         `yaml:"secret" config:"secret"`
	KeyFile string           `yaml:"key_file"`
	Anon    struct {
		Deep []string `yaml:"deep"`
	} `yaml:"anon"`
	Never chan int `yaml:"never"`
}

func decoded(t *testing.T, text string) (tree, *decode.Decoder) {
	t.Helper()
	root, problems := source.Parse("dir/f", []byte(text), func(string) (string, bool) { return "", false })
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	d := &decode.Decoder{File: "dir/f"}
	var v tree
	v.Small = 5
	d.Decode(root, &v)
	return v, d
}

func TestDecode(t *testing.T) {
	v, d := decoded(t, `
count: 65535
ratio: 1e2
on: True
leaf: {}
leaves: [{}, {n: 1}]
pair: [1, 2]
named: {a: {n: 2}, b: {}}
secret: 007
key_file: x/../key
anon: {deep: [a, 1, true, 2001-01-01]}
`)
	if len(d.Problems()) > 0 {
		t.Fatal(d.Problems())
	}
	want := tree{Small: 5, Count: math.MaxUint16, Ratio: 100, On: true, Leaf: &leaf{7}, Leaves: []leaf{{7}, {1}}, Pair: [2]int{1, 2},
		Named: map[string]*leaf{"a": {2}, "b": {7}}, Secret: "007", KeyFile: "dir/key"}
	want.Anon.Deep = []string{"a", "1", "true", "2001-01-01"}
	if diff := cmp.Diff(want, v); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	files := []decode.File{{Path: "key_file", Name: "dir/key", Position: source.Position{Line: 10, Column: 11}}}
	if diff := cmp.Diff(files, d.Files()); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	v.Never = nil
	text, err := yaml.Marshal(decode.Encode(&struct {
		T []password `yaml:"t" config:"secret"`
		L *leaf      `yaml:"l"`
		N []int      `yaml:"n"`
		M tree       `yaml:"m"`
	}{T: []password{"x"}, M: tree{Named: v.Named, Secret: "x"}}, nil))
	if got, want := string(text), `t: ['***']
m:
    small: 0
    count: 0
    ratio: 0
    on: false
    pair: [0, 0]
    named:
        a:
            n: 2
        b:
            n: 7
    secret: '***'
`; err != nil || got != want {
		t.Errorf("encoded as\n%s, %v", got, err)
	}
}

func TestProblems(t *testing.T) {
	v, d := decoded(t, `
small: 128
count: -1
ratio: .nan
on: "true"
leaf: hello
leaves: [x, [y], {m: 1}]
pair: [1, 2, 3]
named: [a]
secret: [x]
key_file: {a: b}
anon: {deep: {a: b}}
never: 1
`)
	want := `dir/f:2:8: small: expected a whole number, found "128"; write it in digits
dir/f:3:8: count: expected a whole number from 0 on, found "-1"; write it in digits
dir/f:4:8: ratio: expected a number, found ".nan"; write it in digits
dir/f:5:5: on: expected true or false, found "true"; remove the quotes
dir/f:6:7: leaf: expected a mapping, found "hello"; write key: value, the keys being n
dir/f:7:10: leaves[0]: expected a mapping, found "x"; write key: value, the keys being n
dir/f:7:13: leaves[1]: expected a mapping, found a list; write key: value, the keys being n
dir/f:7:19: leaves[2].m: unknown key "m"; did you mean "n"?
dir/f:8:7: pair: expected 2 values, found 3; write exactly 2
dir/f:9:8: named: expected a mapping of names to values, found a list; write name: value
dir/f:10:9: secret: expected a single value, found a list; write it on one line
dir/f:11:11: key_file: expected a single value, found a mapping; write it on one line
dir/f:12:14: anon.deep: expected a list, found a mapping; write each item on a line that begins with -
dir/f:13:8: never: a value of the Go type chan int cannot be configured; report this as a defect`
	if diff := cmp.Diff(want, d.Problems().Sort().Error()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if v.Ratio != 0 {
		t.Errorf("a number that was refused is set: %v", v.Ratio)
	}
}

// A problem with a key that the file lacks stands where the section begins.
func TestPlace(t *testing.T) {
	_, d := decoded(t, "on: true\nanon:\n  deep: [a]\nleaf: {n: 1}\n")
	for path, want := range map[string]string{
		"anon.deep":        "dir/f:3:9: anon.deep: x",
		"anon.deep[0]":     "dir/f:3:10: anon.deep[0]: x",
		"anon.deep[7].q":   "dir/f:3:9: anon.deep[7].q: x",
		"anon.other":       "dir/f:2:1: anon.other: x",
		"leaf.other.still": "dir/f:4:7: leaf.other.still: x",
		"nowhere":          "dir/f:1:1: nowhere: x",
	} {
		before := len(d.Problems())
		d.Refuse(path, "x")
		if got := d.Problems()[before].Error(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if !d.Has("anon.deep") || d.Has("anon.none") || !d.Refused("nowhere") || d.Refused("on") || d.Line("leaf") != 4 {
		t.Error("what the file gives, or what was refused, is told wrongly")
	}
}
