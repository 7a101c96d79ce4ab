package condition

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/webdav"
)

// refuses reports whether another implementation refuses the header.
func refuses(h http.Handler, header string) bool {
	r := httptest.NewRequest("PROPPATCH", "http://here/asked", nil)
	r.Header.Set("If", header)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	// Only the header can be wrong here before the body is looked at: with a
	// header that is read, no lock fits.
	return w.Code == http.StatusBadRequest
}

func other() http.Handler {
	return &webdav.Handler{FileSystem: webdav.NewMemFS(), LockSystem: webdav.NewMemLS()}
}

// FuzzParse checks that what is accepted means the same when it is written
// anew, and is accepted by another implementation too, which is laxer: so
// nothing that it refuses gets through here.
func FuzzParse(f *testing.F) {
	for _, header := range refused[:len(refused)-4] {
		f.Add(header)
	}
	for _, header := range []string{
		`(<urn:a>)`, `(<urn:a> ["e"]) (Not <DAV:no-lock> ["e"])`, `</dav/a> (<urn:a>) <http://here/dav/b> (Not [W/"x"])`, `<//x> (<urn:a>)`,
		`(<opaquelocktoken:foobar>x) (Not <DAV:no-lock>)`, `<http://[::1]:80/> (<a:b>)`, "(not<a:b>)", `(["a]"])`,
	} {
		f.Add(header)
	}
	h := other()
	f.Fuzz(func(t *testing.T, header string) {
		got, err := Parse(header, "/asked", locate)
		if err != nil {
			return
		}
		foreign := func(l List) bool { return l.Path == "" }
		anew := text(got)
		if !slices.ContainsFunc(got.Lists, foreign) && len(got.Lists) <= MaxResources && len(anew) <= MaxHeader {
			again, err := Parse(anew, "/asked", locate)
			if err != nil {
				t.Fatalf("%q, written as %q: %v", header, anew, err)
			}
			if diff := cmp.Diff(got, again); diff != "" {
				t.Fatalf("%q, written as %q: %s", header, anew, diff)
			}
		}
		// The other one knows only one spelling of Not, and ends an entity tag
		// at the first bracket.
		bracket := func(c Condition) bool { return strings.Contains(c.ETag, "]") }
		for _, l := range got.Lists {
			if slices.ContainsFunc(l.Conditions, bracket) {
				return
			}
		}
		spelled := strings.Count(strings.ToLower(header), "not") == strings.Count(header, "Not")
		if spelled && refuses(h, header) {
			t.Fatalf("%q is refused by another implementation", header)
		}
	})
}

// TestSameAnswers checks that both implementations agree where the other is
// complete: lists of one token each, on one resource.
func TestSameAnswers(t *testing.T) {
	h := other()
	do := func(method, header, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "http://here/dav/asked", strings.NewReader(body))
		if header != "" {
			r.Header.Set("If", header)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	if w := do("MKCOL", "", ""); w.Code != http.StatusConflict {
		t.Fatal("the collection exists already: ", w.Code)
	}
	mk := httptest.NewRequest("MKCOL", "http://here/dav", nil)
	h.ServeHTTP(httptest.NewRecorder(), mk)
	w := do("LOCK", "", `<lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><write/></locktype></lockinfo>`)
	token := strings.Trim(w.Header().Get("Lock-Token"), "<>")
	if w.Code != http.StatusCreated || token == "" {
		t.Fatal(w.Code, w.Body)
	}
	// Its tokens are numbers, which are no URIs. They stand for urn:lock here.
	for _, header := range []string{
		"(<urn:lock>)", "(<urn:other>)", "(<urn:other>) (<urn:lock>)", "(<urn:lock>) (<urn:other>)", "(<urn:other>)(<urn:x>)", "<http://here/dav/asked> (<urn:lock>)",
		"</dav/asked> (<urn:other>)", "<http://there/dav/asked> (<urn:lock>)", "<http://there/dav/asked> (<urn:lock>) <http://here/dav/asked> (<urn:lock>)",
		"(urn:other", "(<urn:lock>) <x>", "()", "(<urn:lock>) x", "</dav/asked>",
	} {
		want := http.StatusCreated
		f, err := Parse(header, "/asked", locate)
		if err != nil {
			want = http.StatusBadRequest
		} else if holds, err := f.Holds(State{Locked: func(path, token string) bool { return path == "/asked" && token == "urn:lock" }}); err != nil {
			t.Fatal(err)
		} else if !holds {
			want = http.StatusPreconditionFailed
		}
		if w := do("PUT", strings.ReplaceAll(header, "urn:lock", token), ""); w.Code != want {
			t.Errorf("%q: %d here, %d there", header, want, w.Code)
		}
	}
}
