package webclient

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func clientAt(t interface{ Fatal(...any) }, address string) *Client {
	u, err := parseBase(address)
	if err != nil {
		t.Fatal(err)
	}
	return &Client{base: newBase(u)}
}

func TestURL(t *testing.T) {
	for _, c := range []struct {
		base, path string
		collection bool
		want       string
	}{
		{"http://h", "/", false, "http://h/"},
		{"http://h/", "/", true, "http://h/"},
		{"HTTP://H:8080/a/b//", "/", false, "http://h:8080/a/b"},
		{"https://h/a", "/", true, "https://h/a/"},
		{"https://h/a", "/x/y", false, "https://h/a/x/y"},
		{"https://h/a", "/x", true, "https://h/a/x/"},
		{"https://h/a b", "/ü", false, "https://h/a%20b/%C3%BC"},
		{"https://h/a%20b", "/100%?#&+;:@=", false, "https://h/a%20b/100%25%3F%23%26%2B%3B%3A%40%3D"},
		{"https://[::1]:443/d", "/\xff\n", false, "https://[::1]:443/d/%FF%0A"},
		{"https://h", "/A-Z.a_z~0", false, "https://h/A-Z.a_z~0"},
	} {
		if got := clientAt(t, c.base).URL(c.path, c.collection); got != c.want {
			t.Errorf("URL(%q) at %q = %q, want %q", c.path, c.base, got, c.want)
		}
	}
}

func TestPath(t *testing.T) {
	for _, c := range []struct {
		base, href, want string
		ok               bool
	}{
		{"https://h/a", "/a/x", "/x", true},
		{"https://h/a", "/a/", "/", true},
		{"https://h/a", "/a", "/", true},
		{"https://h", "/", "/", true},
		{"https://h/a", "//a/x", "/x", true},
		{"https://h/a", "//h/a/x", "", false},
		{"https://h/a", "/a//x//", "/x", true},
		{"https://h/a", "/a/./x", "/x", true},
		{"https://h/a", "https://H/a/x%20y", "/x y", true},
		{"https://h/a", "https://h:443/a/x", "/x", true},
		{"https://h:443/a", "https://h/a/x", "/x", true},
		{"http://h:80/a", "http://h/a/x", "/x", true},
		{"https://h/%61%20b", "/a%20b/%78", "/x", true},
		{"https://h/a", "/a/%c3%bc%2B+", "/ü++", true},
		{"https://h/a", "/a/x?y#z", "/x", true},
		{"https://h/a", "/a/b://c", "/b:/c", true},
		{"https://h/a", "http://h/a/x", "", false},
		{"https://h/a", "https://other/a/x", "", false},
		{"https://h/a", "https://h:8443/a/x", "", false},
		{"https://h/a", "ftp://h/a/x", "", false},
		{"https://h/a", "/ab", "", false},
		{"https://h/a", "/b", "", false},
		{"https://h/a/b", "/a", "", false},
		{"https://h/a", "a/x", "", false},
		{"https://h/a", "", "", false},
		{"https://h/a", "/a/../etc", "", false},
		{"https://h/a", "/a/%2e%2e/etc", "", false},
		{"https://h/a", "/a/%2e/x", "", false},
		{"https://h/a", "/a/x%2Fy", "", false},
		{"https://h/a", "/a/x%00", "", false},
		{"https://h/a", "/a/x%zz%", "/x%zz%", true},
		{"https://h/a", "/a/%+1%4", "/%+1%4", true},
		{"https://h/a", "https:/a/x", "", false},
		{"https://h/a", "https:a", "", false},
	} {
		got, ok := clientAt(t, c.base).Path(c.href)
		if got != c.want || ok != c.ok {
			t.Errorf("Path(%q) at %q = %q, %v, want %q, %v", c.href, c.base, got, ok, c.want, c.ok)
		}
	}
}

func TestSplitEmpty(t *testing.T) {
	if got, ok := Split(""); !ok || len(got) != 0 {
		t.Errorf(`Split("") = %q, %v, want none, true`, got, ok)
	}
}

// names draws clean endpoint paths of any bytes.
func names() *rapid.Generator[string] {
	name := rapid.Custom(func(t *rapid.T) string {
		b := rapid.SliceOfN(rapid.Byte(), 1, 8).Draw(t, "bytes")
		s := strings.NewReplacer("/", "s", "\x00", "n").Replace(string(b))
		if s == "." || s == ".." {
			s += "x"
		}
		return s
	})
	return rapid.Custom(func(t *rapid.T) string {
		return "/" + strings.Join(rapid.SliceOfN(name, 0, 4).Draw(t, "names"), "/")
	})
}

func TestPathInvertsURL(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := rapid.SampledFrom([]string{"http://h", "https://h:8443/a", "https://h/a%20b/c", "https://[::1]/%C3%BC"}).Draw(t, "base")
		path := names().Draw(t, "path")
		c := clientAt(t, base)
		address := c.URL(path, rapid.Bool().Draw(t, "collection"))
		u, err := url.Parse(address)
		if err != nil {
			t.Fatalf("URL(%q) = %q: %v", path, address, err)
		}
		for _, href := range []string{address, u.EscapedPath()} {
			if got, ok := c.Path(href); !ok || got != path {
				t.Errorf("Path(%q) = %q, %v, want %q", href, got, ok, path)
			}
		}
	})
}

func FuzzPath(f *testing.F) {
	for _, s := range []string{"/a/x", "//a", "https://h/a/x%2f", "/a/%2e%2e", "/a/\xff", "http://[", "/a/x?y", "https:a/b", "/a/a://b/c"} {
		f.Add(s)
	}
	c := clientAt(f, "https://h/a")
	f.Fuzz(func(t *testing.T, href string) {
		path, ok := c.Path(href)
		if !ok {
			return
		}
		comps := strings.Split(path, "/")
		if comps[0] != "" || strings.Contains(path, "\x00") ||
			path != "/" && slices.ContainsFunc(comps[1:], func(s string) bool { return s == "" || s == "." || s == ".." }) {
			t.Fatalf("Path(%q) = %q is not clean", href, path)
		}
		if again, ok := c.Path(c.URL(path, false)); !ok || again != path {
			t.Fatalf("Path(%q) = %q does not survive URL: %q, %v", href, path, again, ok)
		}
	})
}
