package http

import (
	"errors"
	"io"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"

	"canopy/plugins"
)

const apacheHead = `<html><head><title>Index of /d</title></head><body><table><tr><th>Name</th><th>Size</th></tr>`

func TestPage(t *testing.T) {
	for name, c := range map[string]struct{ page, want string }{
		"nothing": {"", ""},
		"text":    {"hello", ""},
		"links that are no children": {`
			<a href="?C=N;O=D">Name</a> <a href="#top">top</a> <a href="">here</a> <a href="./">.</a> <a href="../">up</a>
			<a href="..">up</a> <a href="/">root</a> <a href="/d">self</a> <a href="/d/">self</a> <a href="/e/f">cousin</a>
			<a href="a/b">grandchild</a> <a href="/d/a/b/">grandchild</a> <a href="x?y">query</a> <a href="x?">query</a>
			<a href="x#y">part</a> <a href="x#">part</a> <a href="http://other.example/d/x">other</a> <a href="//other.example/d/x">other</a>
			<a href="https://h.example/d/x">other scheme</a> <a href="http://u@h.example/d/x">user</a> <a href="mailto:x">mail</a>
			<a href="javascript:alert(1)">script</a> <a href="%2e%2e">up</a> <a href="%2e%2e/">up</a> <a href="%2F">slash</a>
			<a href="a%00b">NUL</a> <a href="%zz">bad</a> <a href="..%2fx">slash</a> <a name="x">no href</a> <a>bare</a>
			<!-- <a href="comment">x</a> --> <script>"<a href='script'>"</script> <b href="b">b</b>`, ""},
		"links that are": {`
			<a href="a">1</a> <A HREF='./b'>2</A> <a class=x href=/d/c>3</a> <a href="http://H.example/d/d/">4</a>
			<a href="/x/../d/e">5</a> <a href=" f%20 ">6</a> <a href="g h">7</a> <a href="i&amp;j">8</a> <a href="%25">9</a>`,
			`file -1 "a"
file -1 "b"
file -1 "c"
directory -1 "d"
file -1 "e"
file -1 "f "
file -1 "g h"
file -1 "i&j"
file -1 "%"
`},
		"each once": {`<a href="a">1</a><a href="b">2</a><a href="a/">3</a><a href="%61">4</a>`, "file -1 \"a\"\nfile -1 \"b\"\n"},
		"sizes of a known page": {apacheHead +
			`<tr><td><a href="a"><img></a></td><td><a href="a">a</a></td><td>2023-11-14 22:13  </td><td>972 </td></tr>` +
			`<tr><td><a href="b">b</a></td><td>2023-11-14 22:13</td><td>1.0K</td></tr>` +
			`<tr><td><a href="c">c</a></td><td>2023-11-14 22:13</td><td>12</td><td>KB</td></tr>` +
			`<tr><td><a href="d/">d</a></td><td>2023-11-14 22:13</td><td>12</td></tr>` +
			`<tr><td><a href="e">e</a></td><td>2023-11-14 22:13</td><td>-5</td></tr>` +
			`<tr><td><a href="f">f</a></td><td>2023-11-14 22:13</td><td>99999999999999999999</td></tr>` +
			`<tr><td><a href="g">2023-11-14 22:13 5</a></td></tr>` +
			`<tr><td><a href="h">h</a></td><td>yesterday 22:13 5</td></tr>` +
			`<tr><td><a href="i">i</a></td></tr><tr><td>2023-11-14 22:13 5</td></tr>` +
			`<tr><td><a href="j">j</a></td><td>14-Nov-2023 22:13 7</td></tr></table></body></html>`,
			`file 972 "a"
file -1 "b"
file -1 "c"
directory -1 "d"
file -1 "e"
file -1 "f"
file -1 "g"
file -1 "h"
file -1 "i"
file 7 "j"
`},
		"sizes of an unknown page": {`<title>My data</title>Size<a href="a">a</a> 2023-11-14 22:13 972`, "file -1 \"a\"\n"},
		"a column that is not the size": {
			`<html><title>Index of /d</title><pre>Name Description<hr><a href="a">a</a> 2023-11-14 22:13 42` + "\n</pre></html>",
			"file -1 \"a\"\n"},
		"a known page that ends early": {apacheHead + `<tr><td><a href="a">a</a></td><td>2023-11-14 22:13 5`,
			"file 5 \"a\"\nerror: malformed answer: the index page ends early\n"},
		"a known page without a frame": {`<title>Index of /d</title><ul><li><a href="a">a</a></li></ul>`, "file -1 \"a\"\n"},
		"an endless tag": {`<a href="a">a</a><a href="` + strings.Repeat("x", maxRow) + `">`,
			"file -1 \"a\"\nerror: malformed answer: the index page holds a tag of more than 1 MiB\n"},
	} {
		if got := describe(readIndex("page.html", "/d/", strings.NewReader(c.page))); got != c.want {
			t.Errorf("%s:\n%swant:\n%s", name, got, c.want)
		}
	}
}

func TestPageOfRoot(t *testing.T) {
	got := describe(readIndex("page.html", "/", strings.NewReader(`<a href="/">/</a><a href="a">a</a><a href="/b/">b</a><a href="/c/d">d</a>`)))
	if want := "file -1 \"a\"\ndirectory -1 \"b\"\n"; got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

func TestJSON(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"nginx": {`[{"name":"a","type":"file","size":1,"mtime":"Tue, 14 Nov 2023 22:13:20 GMT"},
			{"name":"a","type":"directory"},{"name":"..","type":"directory"},{"name":"b/c","type":"file"},{"name":"","type":"file"},
			{"name":"d","type":"other"},{"name":"e","type":"file","size":-1,"mtime":"never"},{"name":7,"type":"file"},
			{"name":"\"\\\u00e9\n` + "\xe9" + `","type":"file"},{"type":"file"}]`,
			"file 1 2023-11-14T22:13:20Z \"a\"\nfile -1 \"e\"\nfile -1 \"\\\"\\\\\\xe9\\n\\xe9\"\n"},
		"Caddy": {`[{"url":"./a","is_dir":false,"size":1},{"url":"./b","is_dir":true},{"url":"../c","is_dir":false},{"url":"./d/e","is_dir":false}]`,
			"file 1 \"a\"\ndirectory -1 \"b\"\n"},
		"another server":   {`[{"name":"a"}]`, "error: unsupported: the index is JSON of an unknown kind\n"},
		"an object":        {`{"entries":[]}`, "error: malformed answer: the index is no sound JSON of nginx or Caddy\n"},
		"nothing":          {``, "error: malformed answer: the index is no sound JSON of nginx or Caddy\n"},
		"ends early":       {`[{"name":"a","type":"file"},`, "file -1 \"a\"\nerror: malformed answer: the index is no sound JSON of nginx or Caddy\n"},
		"ends before end":  {`[{"name":"a","type":"file"}`, "file -1 \"a\"\nerror: malformed answer: the index is no sound JSON of nginx or Caddy\n"},
		"a row too large":  {`[{"name":"` + strings.Repeat("x", 2*maxRow) + `"}]`, "error: malformed answer: the index is too large\n"},
		"a size too large": {`[{"name":"a","type":"file","size":1e30}]`, "error: malformed answer: the index is no sound JSON of nginx or Caddy\n"},
	} {
		if got := describe(readIndex("index.json", "/d/", strings.NewReader(c.text))); got != c.want {
			t.Errorf("%s:\n%swant:\n%s", name, got, c.want)
		}
	}
}

func TestJSONOfCaddyAtItsLimit(t *testing.T) {
	row := `{"url":"./a","is_dir":false}`
	for n, limited := range map[int]bool{caddyLimit - 1: false, caddyLimit: true, caddyLimit + 1: false} {
		got := describe(readIndex("x.json", "/d/", strings.NewReader("["+strings.Repeat(row+",", n-1)+row+"]")))
		if strings.Contains(got, "error: unsupported") != limited {
			t.Errorf("%d entries: %s", n, got)
		}
	}
}

func TestIndexReportsTheReader(t *testing.T) {
	broken := &plugins.Error{Kind: plugins.Timeout}
	for name, text := range map[string]string{"p.html": `<a href="a">`, "p.json": `[{"name":"a","type":"file"},`} {
		r := io.MultiReader(strings.NewReader(text), iotest.ErrReader(broken))
		var last error
		for e, err := range readIndex(name, "/d/", r) {
			if last = err; err == nil && e.Name != "a" {
				t.Errorf("%s: %+v", name, e)
			}
		}
		if !errors.Is(last, broken) {
			t.Errorf("%s: %v", name, last)
		}
	}
}

func TestIndexStopsEarly(t *testing.T) {
	for name, text := range map[string]string{
		"p.html": `<a href="a">a</a><a href="b">b</a><a href="c">c</a>`,
		"p.json": `[{"name":"a","type":"file"},{"name":"b","type":"file"}]`,
	} {
		n := 0
		for range readIndex(name, "/d/", strings.NewReader(text)) {
			n++
			break
		}
		if n != 1 {
			t.Errorf("%s: %d entries", name, n)
		}
	}
}

func TestAllowance(t *testing.T) {
	a := &allowance{r: strings.NewReader(strings.Repeat("x", 100)), total: 50}
	if data, err := io.ReadAll(a); len(data) != 50 || !errors.Is(err, errTooLarge) {
		t.Errorf("%d bytes, %v", len(data), err)
	}
}

// FuzzIndex reads anything as a page and as JSON.
func FuzzIndex(f *testing.F) {
	f.Add(apacheHead+`<tr><td><a href="a">a</a> 2023-11-14 22:13 5</html>`, "/d/")
	f.Add(`[{"name":"a","type":"file","size":1,"mtime":"Tue, 14 Nov 2023 22:13:20 GMT"},{"url":"./b%2f","is_dir":true}]`, "/")
	f.Fuzz(func(t *testing.T, text, path string) {
		if !strings.HasPrefix(path, "/") {
			return
		}
		for _, name := range []string{"x.html", "x.json"} {
			seen := map[string]bool{}
			failed := false
			for e, err := range readIndex(name, path, strings.NewReader(text)) {
				switch {
				case failed:
					t.Fatal("goes on after an error")
				case err != nil:
					failed = true
				case !validName(e.Name) || seen[e.Name] || e.Size < -1 || e.Kind == 0 || e.Kind == plugins.Directory && e.Size >= 0:
					t.Fatalf("%+v", e)
				}
				seen[e.Name] = true
			}
		}
	})
}

// FuzzChild holds child to the definition of one: its address is that of the
// directory and the name.
func FuzzChild(f *testing.F) {
	f.Add("/d/", "a%20b/")
	f.Add("/a%2fb/c", "../x?y#z")
	f.Fuzz(func(t *testing.T, base, href string) {
		at, err := url.Parse("http://h.example" + base)
		if err != nil || at.Host != "h.example" {
			return
		}
		e, ok := newListing(at).child(href)
		if ok && !validName(e.Name) {
			t.Fatalf("%q at %q is %+v", href, base, e)
		}
	})
}
