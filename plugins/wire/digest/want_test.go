package digest

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"canopy/plugins"
)

func TestWantDigest(t *testing.T) {
	for line, want := range map[string]string{
		"ADLER32":                                "adler32",
		"adler32;q=0.5, md5;q=1.0,sha-256":       "md5 sha-256 adler32",
		"SHA-512;q=1, SHA-256;q=1, SHA;q=0.1":    "sha-512 sha-256 sha",
		"md5;q=0, adler32 ; Q=0.001":             "adler32",
		"md5;x=y;q=0.2, crc32c;q=.5, sha;q=1.1":  "md5",
		"md5;q=nan, sha;q=, adler32;q=0.0001":    "",
		"md5;q=-1, sha;q=+1, sha-256;q=1.001":    "",
		"unixsum, md5, bogus;q=1, ,":             "md5",
		"md5;q=0.1, adler32;q=0.2, MD5;q=0.3":    "md5 adler32",
		"md5, md5;q=0":                           "",
		"":                                       "",
		strings.Repeat("x,", maxMembers) + "md5": "",
	} {
		if got := strings.Join(WantDigest(line), " "); got != want {
			t.Errorf("WantDigest(%q) = %q, want %q", line, got, want)
		}
	}
}

func TestWantRepr(t *testing.T) {
	for line, want := range map[string]string{
		"sha-256=10, adler=3":                      "sha-256 adler32",
		"sha-512=3, sha-256=10, unixsum=0":         "sha-256 sha-512",
		"sha-256=1, md5=1":                         "sha-256 md5",
		"sha-256=0, md5=11, sha=-1, adler, crc32=": "",
		"sha-256=5;x=y":                            "sha-256",
		"sha-256=1.5":                              "",
	} {
		if got := strings.Join(WantRepr(line), " "); got != want {
			t.Errorf("WantRepr(%q) = %q, want %q", line, got, want)
		}
	}
}

func TestParseWantPrefersDigest(t *testing.T) {
	have := []plugins.Digest{adlerSum, md5Sum, shaSum}
	for name, c := range map[string]struct {
		ask, answer http.Header
	}{
		"nothing": {http.Header{}, http.Header{}},
		"old": {
			http.Header{"Want-Digest": {"sha-512", "md5;q=0.5,adler32"}},
			http.Header{"Digest": {"adler32=11e60398,md5=" + md5Base64}},
		},
		"new": {
			http.Header{"Want-Repr-Digest": {"adler=1"}},
			http.Header{"Repr-Digest": {"adler=:EeYDmA==:"}},
		},
		"both": {
			http.Header{"Want-Repr-Digest": {"sha-256=10"}, "Want-Digest": {"adler32"}},
			http.Header{"Digest": {"adler32=11e60398"}},
		},
		"unknown": {http.Header{"Want-Digest": {"sha-384"}, "Want-Repr-Digest": {"adler=1"}}, http.Header{}},
	} {
		answer := http.Header{}
		w := ParseWant(c.ask)
		w.Set(answer, w.Choose(have)...)
		for _, h := range []string{"Digest", "Repr-Digest"} {
			if got, want := answer.Get(h), c.answer.Get(h); got != want {
				t.Errorf("%s: %s = %q, want %q", name, h, got, want)
			}
		}
	}
}

func TestSetWantIsReadInItsOrder(t *testing.T) {
	h := http.Header{}
	SetWant(h, "adler32", "bogus", "md5", "sha-256")
	if got, want := h.Get("Want-Digest"), "adler32, md5;q=0.9, sha-256;q=0.8"; got != want {
		t.Errorf("Want-Digest = %q, want %q", got, want)
	}
	if got, want := h.Get("Want-Repr-Digest"), "adler=10, md5=9, sha-256=8"; got != want {
		t.Errorf("Want-Repr-Digest = %q, want %q", got, want)
	}
	var all []string
	for _, a := range algorithms {
		all = append(all, a.name)
	}
	SetWant(h, all...)
	if got := WantDigest(h.Get("Want-Digest")); !slices.Equal(got, all) {
		t.Errorf("Want-Digest %q reads as %q", h.Get("Want-Digest"), got)
	}
	if got := WantRepr(h.Get("Want-Repr-Digest")); !slices.Equal(got, all) {
		t.Errorf("Want-Repr-Digest %q reads as %q", h.Get("Want-Repr-Digest"), got)
	}
	none := http.Header{}
	SetWant(none, "bogus")
	if len(none) != 0 {
		t.Errorf("asks for %v", none)
	}
}

func FuzzWant(f *testing.F) {
	f.Add("adler32;q=0.5, md5;q=1.0,sha-256", "sha-256=10, adler=3")
	f.Fuzz(func(t *testing.T, old, repr string) {
		for _, names := range [][]string{WantDigest(old), WantRepr(repr)} {
			for i, n := range names {
				if New(n) == nil || slices.Contains(names[:i], n) {
					t.Errorf("%q is unknown or there twice in %q", n, names)
				}
			}
		}
	})
}
