package digest

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"canopy/plugins"
)

const (
	md5Base64 = "nGdyhoZqrTj46bZg9UEYFA=="
	shaBase64 = "04s4ot1HbgRcKZ6O5dZGaDRFbZe9WSpxdGtCOmoF84Y="
)

var (
	adlerSum = sum("adler32", "11e60398")
	md5Sum   = sum("md5", "9c677286866aad38f8e9b660f5411814")
	shaSum   = sum("sha-256", "d38b38a2dd476e045c299e8ee5d6466834456d97bd592a71746b423a6a05f386")
)

// values formats digests for a failing test.
func values(ds []plugins.Digest) string {
	var s []string
	for _, d := range ds {
		s = append(s, d.Algorithm+":"+Hex(d))
	}
	return strings.Join(s, " ")
}

func TestParseDigest(t *testing.T) {
	for _, c := range []struct {
		lines []string
		want  []plugins.Digest
	}{
		{nil, nil},
		{[]string{""}, nil},
		{[]string{"adler32=11e60398"}, []plugins.Digest{adlerSum}},
		{[]string{"ADLER32=11E60398,md5=" + md5Base64}, []plugins.Digest{adlerSum, md5Sum}},
		{[]string{" md5 = " + md5Base64 + " ,\tadler32=11e60398 "}, []plugins.Digest{md5Sum, adlerSum}},
		{[]string{"md5=" + md5Base64, "sha-256=" + shaBase64}, []plugins.Digest{md5Sum, shaSum}},
		{[]string{"unixsum=30637,, ,adler32=11e60398"}, []plugins.Digest{adlerSum}},
		{[]string{"adler32=1,adler32=11e60398"}, []plugins.Digest{adlerSum}},
		{[]string{"adler32"}, nil},
		{[]string{"=11e60398"}, nil},
		{[]string{`x="a,adler32=00000001`}, nil},
		{[]string{"adler32=11e60398\r\nX: y"}, nil},
		{[]string{strings.Repeat("x,", maxMembers) + "adler32=11e60398"}, nil},
	} {
		if got := ParseDigest(c.lines...); !slices.Equal(got, c.want) {
			t.Errorf("ParseDigest(%q) = %s, want %s", c.lines, values(got), values(c.want))
		}
	}
}

func TestParseRepr(t *testing.T) {
	for _, c := range []struct {
		line string
		want []plugins.Digest
	}{
		{"sha-256=:" + shaBase64 + ":", []plugins.Digest{shaSum}},
		{"sha-256=:" + shaBase64 + ":;note=1, md5=:" + md5Base64 + ": ; x", []plugins.Digest{shaSum, md5Sum}},
		{"adler=:EeYDmA==:", []plugins.Digest{adlerSum}},
		{`x="sha-256, \", y", md5=:` + md5Base64 + ":", []plugins.Digest{md5Sum}},
		{"md5=:AAAAAAAAAAAAAAAAAAAAAA==:, md5=:" + md5Base64 + ":", []plugins.Digest{md5Sum}},
		{"md5=" + md5Base64, nil},
		{"md5=:" + md5Base64, nil},
		{"md5=:", nil},
		{"md5=::", nil},
		{"adler=:11e60398:", nil}, // hexadecimal is not a byte sequence of four
		{"sha-256=:" + md5Base64 + ":", nil},
	} {
		if got := ParseRepr(c.line); !slices.Equal(got, c.want) {
			t.Errorf("ParseRepr(%q) = %s, want %s", c.line, values(got), values(c.want))
		}
	}
}

func TestFormat(t *testing.T) {
	bad := plugins.Digest{Algorithm: "md5", Sum: "short"}
	ds := []plugins.Digest{bad, adlerSum, md5Sum, bad, shaSum}
	if got, want := FormatDigest(ds...), "adler32=11e60398,md5="+md5Base64+",sha-256="+shaBase64; got != want {
		t.Errorf("FormatDigest = %q, want %q", got, want)
	}
	if got, want := FormatRepr(ds...), "adler=:EeYDmA==:, md5=:"+md5Base64+":, sha-256=:"+shaBase64+":"; got != want {
		t.Errorf("FormatRepr = %q, want %q", got, want)
	}
	if got := FormatDigest(bad) + FormatRepr(bad); got != "" {
		t.Errorf("a digest of the wrong length is written: %q", got)
	}
	if got, want := string(AppendDigest([]byte("Digest: "), adlerSum)), "Digest: adler32=11e60398"; got != want {
		t.Errorf("AppendDigest = %q, want %q", got, want)
	}
}

func TestFromHeader(t *testing.T) {
	for name, c := range map[string]struct {
		header http.Header
		want   []plugins.Digest
	}{
		"none": {http.Header{}, nil},
		"all": {http.Header{
			"Digest":      {"adler32=11e60398"},
			"Repr-Digest": {"sha-256=:" + shaBase64 + ":"},
			"Content-Md5": {md5Base64},
		}, []plugins.Digest{adlerSum, shaSum, md5Sum}},
		"part": {http.Header{
			"Digest":        {"adler32=11e60398"},
			"Content-Md5":   {md5Base64},
			"Content-Range": {"bytes 0-0/9"},
		}, []plugins.Digest{adlerSum}},
		"md5 twice": {http.Header{
			"Digest":      {"md5=" + md5Base64},
			"Content-Md5": {"AAAAAAAAAAAAAAAAAAAAAA=="},
		}, []plugins.Digest{md5Sum}},
		"compressed": {http.Header{
			"Digest":           {"adler32=11e60398"},
			"Content-Encoding": {"gzip"},
		}, nil},
		"of an empty body": {http.Header{"Content-Digest": {"sha-256=:" + shaBase64 + ":"}}, nil},
	} {
		if got := FromHeader(c.header); !slices.Equal(got, c.want) {
			t.Errorf("%s: %s, want %s", name, values(got), values(c.want))
		}
	}
}

// checkSound fails unless ds are valid digests by distinct algorithms.
func checkSound(t *testing.T, ds []plugins.Digest) {
	t.Helper()
	seen := map[string]bool{}
	for _, d := range ds {
		if !Valid(d) || seen[d.Algorithm] {
			t.Errorf("%q is invalid or there twice", d)
		}
		seen[d.Algorithm] = true
	}
}

func FuzzDigest(f *testing.F) {
	f.Add("adler32=03da0195,md5=" + md5Base64 + ", SHA=x")
	f.Add("crc32c=CnKk3w==,crc32c=a72a4df,,=,\"")
	f.Fuzz(func(t *testing.T, line string) {
		ds := ParseDigest(line)
		checkSound(t, ds)
		if again := ParseDigest(FormatDigest(ds...)); !slices.Equal(again, ds) {
			t.Errorf("%s came back as %s", values(ds), values(again))
		}
	})
}

func FuzzRepr(f *testing.F) {
	f.Add("sha-256=:" + shaBase64 + ":;a=\"b,c\", adler=:EeYDmA==:")
	f.Add(`a="\`)
	f.Fuzz(func(t *testing.T, line string) {
		ds := ParseRepr(line)
		checkSound(t, ds)
		if again := ParseRepr(FormatRepr(ds...)); !slices.Equal(again, ds) {
			t.Errorf("%s came back as %s", values(ds), values(again))
		}
	})
}
