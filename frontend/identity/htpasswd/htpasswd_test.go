package htpasswd

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// file returns a file as the program htpasswd wrote it.
func file(t testing.TB, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func TestCheck(t *testing.T) {
	users, err := Parse(file(t, "mixed"))
	if err != nil {
		t.Fatal(err)
	}
	if users.Len() != 6 {
		t.Errorf("%d users", users.Len())
	}
	long := strings.Repeat("x", 40)
	for _, c := range []struct {
		name, password string
		want           bool
	}{
		{"bea", "open sesame", true},
		{"bea", "open sesamE", false},
		{"bea", "", false},
		{"mia", "open sesame", true},
		{"mia", "open sesame ", false},
		{"sam", "open sesame", true},
		{"sam", "Open sesame", false},
		{"long", long, true},
		{"long", long[1:], false},
		{"jörg", "grüß dich: ja", true},
		{"void", "", true},
		{"void", "x", false},
		{"nobody", "", false},
		{"", "", false},
		{"Bea", "open sesame", false},
	} {
		if got := users.Check(c.name, c.password); got != c.want {
			t.Errorf("%s with %q: got %v", c.name, c.password, got)
		}
	}
	if _, ok := users.slowest.(bcryptHash); !ok {
		t.Errorf("unknown users are checked with %T", users.slowest)
	}
}

func TestNoUsers(t *testing.T) {
	users, err := Parse([]byte("# nobody yet\n\n"))
	if err != nil || users.Len() != 0 || users.Check("", "") || users.Check("a", "b") {
		t.Errorf("got %v, %v", users, err)
	}
}

func TestParseRefuses(t *testing.T) {
	good := strings.Split(string(file(t, "mixed")), "\n")[0]
	for name, c := range map[string]struct{ content, want string }{
		"crypt":      {string(file(t, "crypt")), `line 1: user "carl": crypt and plain`},
		"plain":      {string(file(t, "plain")), `line 1: user "paul": crypt and plain`},
		"sha256":     {string(file(t, "sha256")), `line 1: user "sven": SHA-2 crypt is not understood`},
		"sha512":     {string(file(t, "sha512")), `line 1: user "sven": SHA-2 crypt is not understood`},
		"twice":      {good + "\r\n" + good, `line 2: user "bea" is there twice`},
		"no name":    {":x", "line 1: this is not NAME:HASH"},
		"no hash":    {"# a\nname", "line 2: this is not NAME:HASH"},
		"bcrypt cut": {good[:40], `line 1: user "bea": this is not a whole bcrypt hash`},
		"cost":       {strings.Replace(good, "$05$", "$31$", 1), "a bcrypt cost of 31 would take minutes"},
		"apr1 cut":   {"a:$apr1$salt$short", "this is not a whole $apr1$ hash"},
		"apr1 salt":  {"a:$apr1$123456789$" + strings.Repeat(".", 22), "this is not a whole $apr1$ hash"},
		"sha cut":    {"a:{SHA}W8r/", "this is not a whole {SHA} hash"},
		"long line":  {strings.Repeat("a", maxLine+1), "line 1: the line is longer than 1024 bytes"},
	} {
		_, err := Parse([]byte(c.content))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
			continue
		}
		for line := range strings.Lines(c.content) {
			if _, secret, _ := strings.Cut(strings.TrimSpace(line), ":"); len(secret) > 3 && strings.Contains(err.Error(), secret+" ") {
				t.Errorf("%s: the error tells a secret: %v", name, err)
			}
		}
	}
}

func TestTooManyUsers(t *testing.T) {
	var b strings.Builder
	for i := range maxUsers + 1 {
		fmt.Fprintf(&b, "u%d:{SHA}W8r/fyL/UzygmbNAjq2HbA67qac=\n", i)
	}
	_, err := Parse([]byte(b.String()))
	if want := "line 100001: there are more than 100000 users"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"mixed", "crypt", "plain", "sha256"} {
		f.Add(file(f, name))
	}
	f.Add([]byte("a:$2y$05$\n:\n#\n\r\na:{SHA}:x"))
	f.Fuzz(func(t *testing.T, content []byte) {
		users, err := Parse(content)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\r\n") {
				t.Errorf("the error has several lines: %q", err)
			}
			return
		}
		if users.slowest != nil && users.slowest.work() > 1000<<6 {
			return
		}
		if users.Check("", "") {
			t.Error("nobody got in")
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	users, err := Parse(file(b, "mixed"))
	if err != nil {
		b.Fatal(err)
	}
	for _, name := range []string{"bea", "mia", "sam", "nobody"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				users.Check(name, "open sesame")
			}
		})
	}
}
