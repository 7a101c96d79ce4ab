package nametrans

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

var update = flag.Bool("update", false, "write what the code answers into testdata")

// TestData answers the questions in testdata: each config section is followed
// by a section of cases, one a line, with the answer behind an arrow.
func TestData(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := replay(t, string(want))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("answers differ (-want +got):\n%s", diff)
			}
		})
	}
}

// replay returns text with the cases of each section answered.
func replay(t *testing.T, text string) string {
	t.Helper()
	var out strings.Builder
	comment, rest, _ := strings.Cut(text, "-- config --\n")
	out.WriteString(comment)
	for section := range strings.SplitSeq(rest, "-- config --\n") {
		config, cases, ok := strings.Cut(section, "-- cases --\n")
		if !ok {
			t.Fatalf("no cases for %q", config)
		}
		tr := decode(t, []byte(config))
		out.WriteString("-- config --\n" + config + "-- cases --\n")
		out.Write(answer(t, tr, []byte(cases)))
	}
	return out.String()
}

func decode(t *testing.T, text []byte) *Translation {
	t.Helper()
	var section struct {
		Mount     string
		Translate []Rule
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&section); err != nil {
		t.Fatal(err)
	}
	tr, err := Compile(section.Mount, section.Translate)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func answer(t *testing.T, tr *Translation, cases []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	for line := range strings.Lines(string(cases)) {
		question, _, _ := strings.Cut(strings.TrimSpace(line), " => ")
		verb, quoted, _ := strings.Cut(question, " ")
		path := quoted
		if strings.HasPrefix(quoted, `"`) {
			var err error
			if path, err = strconv.Unquote(quoted); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
		}
		var answers []string
		ok := true
		switch verb {
		case "endpoint":
			answers = tr.Endpoint(path)
			ok = len(answers) > 0
		case "listable":
			answers = tr.Listable(path)
			ok = len(answers) > 0
		case "federation":
			answers = make([]string, 1)
			answers[0], ok = tr.Federation(path)
		case "virtual":
			answers, ok = tr.Virtual(path)
		case "covers":
			answers, ok = []string{"yes"}, tr.Covers(path)
		default:
			t.Fatalf("unknown question %q", verb)
		}
		out.WriteString(question + " =>")
		if !ok {
			out.WriteString(" -")
			answers = nil
		}
		for _, a := range answers {
			if q := strconv.Quote(a); q != `"`+a+`"` || strings.Contains(a, " ") {
				a = q
			}
			out.WriteString(" " + a)
		}
		out.WriteByte('\n')
	}
	return out.Bytes()
}
