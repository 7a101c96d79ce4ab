package digest

import (
	"encoding/hex"
	"io"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"canopy/plugins"
)

// sum returns a digest whose value is given in hexadecimal.
func sum(algorithm, text string) plugins.Digest {
	b, err := hex.DecodeString(text)
	if err != nil {
		panic(err) // a mistake in a test table
	}
	return plugins.Digest{Algorithm: algorithm, Sum: string(b)}
}

// known are the checksums of "Wikipedia" as xrdadler32, xrdcrc32c, zlib and the
// coreutils compute them.
var known = []plugins.Digest{
	sum("adler32", "11e60398"),
	sum("crc32", "adaac02e"),
	sum("crc32c", "2d0e3663"),
	sum("md5", "9c677286866aad38f8e9b660f5411814"),
	sum("sha", "664add438097fbd4307f814de8e62a10f8905588"),
	sum("sha-256", "d38b38a2dd476e045c299e8ee5d6466834456d97bd592a71746b423a6a05f386"),
	sum("sha-512", "d83d8b6e18c38434a113775ac1879a3a738222b1dd0b06bd7b7b6e00b99b69a5"+
		"32cd7f06f44621e62047e9ff7107e655bc2927959a3a9ae3fb2bd47e07e863c0"),
}

func TestNewComputesWhatOtherProgramsDo(t *testing.T) {
	for _, want := range known {
		h := New(want.Algorithm)
		io.WriteString(h, "Wiki")
		io.WriteString(h, "pedia")
		got := plugins.Digest{Algorithm: want.Algorithm, Sum: string(h.Sum(nil))}
		if got != want {
			t.Errorf("%s of Wikipedia = %s, want %s", want.Algorithm, Hex(got), Hex(want))
		}
		if !Valid(got) || Size(want.Algorithm) != len(want.Sum) {
			t.Errorf("%s is not valid", want.Algorithm)
		}
	}
	// The example of the IANA registry for crc32c.
	h := New("crc32c")
	io.WriteString(h, "dog")
	if got := hex.EncodeToString(h.Sum(nil)); got != "0a72a4df" {
		t.Errorf("crc32c of dog = %s, want 0a72a4df", got)
	}
	if New("unixsum") != nil || New("") != nil {
		t.Error("New of an unknown algorithm is not nil")
	}
}

func TestName(t *testing.T) {
	for spelling, want := range map[string]string{
		"ADLER32": "adler32", "adler": "adler32", "Adler-32": "adler32",
		"SHA": "sha", "sha1": "sha", "SHA-1": "sha",
		"SHA256": "sha-256", "sha-256": "sha-256", "SHA512": "sha-512", "sha-512": "sha-512",
		"MD5": "md5", "CRC32C": "crc32c", "crc-32c": "crc32c", "crc-32": "crc32",
		"": "", "unixsum": "", "sha-384": "", "md5 ": "", "sha-256-and-more": "",
	} {
		got, ok := Name(spelling)
		if got != want || ok != (want != "") {
			t.Errorf("Name(%q) = %q, %v, want %q", spelling, got, ok, want)
		}
	}
}

func TestDecode(t *testing.T) {
	for _, c := range []struct{ algorithm, value, want string }{
		{"adler32", "03da0195", "03da0195"},
		{"ADLER32", "03DA0195", "03da0195"},
		{"adler32", "3da0195", "03da0195"}, // leading zero dropped
		{"adler32", "1", "00000001"},
		{"adler32", "A9oBlQ==", "03da0195"},
		{"crc32c", "A72A4DF", "0a72a4df"},
		{"crc32c", "CnKk3w==", "0a72a4df"}, // older XRootD
		{"md5", "nGdyhoZqrTj46bZg9UEYFA==", "9c677286866aad38f8e9b660f5411814"},
		{"md5", "9C677286866aad38f8e9b660f5411814", "9c677286866aad38f8e9b660f5411814"},
		{"sha1", "ZkrdQ4CX+9Qwf4FN6OYqEPiQVYg=", "664add438097fbd4307f814de8e62a10f8905588"},

		{"adler32", "", ""},
		{"adler32", "003da0195", ""},
		{"adler32", "03da019g", ""},
		{"adler32", "+3da0195", ""},
		{"adler32", "A9oBlQ=", ""},
		{"md5", "c677286866aad38f8e9b660f5411814", ""}, // no zeros put before long ones
		{"md5", "nGdyhoZqrTj46bZg9UEYFA", ""},
		{"md5", "nGdyhoZqrTj46bZg9UEYFB==", ""}, // bits that belong to no byte
		{"md5", "", ""},
		{"unixsum", "30637", ""},
	} {
		d, ok := Decode(c.algorithm, c.value)
		if Hex(d) != c.want || ok != (c.want != "") {
			t.Errorf("Decode(%q, %q) = %q, %v, want %q", c.algorithm, c.value, Hex(d), ok, c.want)
		}
	}
}

func TestValid(t *testing.T) {
	for _, d := range []plugins.Digest{
		{}, {Algorithm: "md5"}, {Algorithm: "MD5", Sum: strings.Repeat("x", 16)},
		{Algorithm: "md5", Sum: strings.Repeat("x", 17)}, {Algorithm: "adler", Sum: "abcd"},
	} {
		if Valid(d) {
			t.Errorf("Valid(%q)", d)
		}
	}
}

// anyDigests draws valid digests with distinct algorithms.
func anyDigests(t *rapid.T) []plugins.Digest {
	var ds []plugins.Digest
	for _, a := range algorithms {
		if rapid.Bool().Draw(t, a.name) {
			value := rapid.SliceOfN(rapid.Byte(), a.size, a.size).Draw(t, "value")
			ds = append(ds, plugins.Digest{Algorithm: a.name, Sum: string(value)})
		}
	}
	return ds
}

func TestHeadersRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ds := anyDigests(t)
		if got := ParseDigest(FormatDigest(ds...)); !slices.Equal(got, ds) {
			t.Errorf("Digest: %q came back as %q", ds, got)
		}
		if got := ParseRepr(FormatRepr(ds...)); !slices.Equal(got, ds) {
			t.Errorf("Repr-Digest: %q came back as %q", ds, got)
		}
		for _, d := range ds {
			for _, text := range []string{Hex(d), Base64(d)} {
				if got, ok := Decode(d.Algorithm, text); !ok || got != d {
					t.Errorf("Decode(%q, %q) = %q, %v", d.Algorithm, text, got, ok)
				}
			}
		}
	})
}
