package web

import (
	"math"
	"testing"
	"time"

	"golang.org/x/net/html"
	"pgregory.net/rapid"
)

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 1: "1 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB",
		10_137: "9.9 KiB", 10*1024 - 1: "10 KiB", 10 * 1024: "10 KiB",
		1023 * 1024: "1023 KiB", 1<<20 - 1: "1.0 MiB", 1 << 20: "1.0 MiB",
		1<<30 - 1: "1.0 GiB", 2_415_919_104: "2.3 GiB", 1 << 40: "1.0 TiB",
		1 << 50: "1.0 PiB", 1 << 60: "1.0 EiB", math.MaxInt64: "8.0 EiB",
	} {
		if got := string(appendSize(nil, n)); got != want {
			t.Errorf("%d bytes are %q, want %q", n, got, want)
		}
	}
}

func TestGrouped(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0", 12: "12", 123: "123", 1234: "1,234", 123456: "123,456", 1234567: "1,234,567",
		math.MaxInt64: "9,223,372,036,854,775,807",
	} {
		if got := string(appendGrouped(nil, n)); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
}

func TestTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := time.Unix(rapid.Int64Range(-62_167_219_200, 253_402_300_799).Draw(t, "seconds"), 0).
			In(time.FixedZone("", rapid.IntRange(-50_000, 50_000).Draw(t, "offset")))
		want := at.UTC().Format(`<time datetime="2006-01-02T15:04:05Z">2006-01-02 15:04</time>`)
		if at.IsZero() {
			want = ""
		}
		if got := string(appendTime(nil, at)); got != want {
			t.Fatalf("%v is %q, want %q", at, got, want)
		}
	})
	for _, at := range []time.Time{{}, time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC)} {
		if got := appendTime(nil, at); len(got) > 0 {
			t.Errorf("%v is %q, want nothing", at, got)
		}
	}
}

func TestAge(t *testing.T) {
	for d, want := range map[time.Duration]string{
		time.Second: "1 second", 90 * time.Second: "90 seconds", 12*time.Minute + time.Second: "12 minutes",
		3 * time.Hour: "3 hours", 47 * time.Hour: "47 hours", 72 * time.Hour: "3 days",
	} {
		if got := age(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}

func TestVisible(t *testing.T) {
	for s, want := range map[string]string{
		"":                   "",
		"plain name.txt":     "plain name.txt",
		"日本語":                "日本語",
		"a\nb":               "a⟨U+000A⟩b",
		"\x7f":               "⟨U+007F⟩",
		"\u0085":             "⟨U+0085⟩",
		"x\u202egpj.exe":     "x⟨U+202E⟩gpj.exe",
		"\u2066\u2069":       "⟨U+2066⟩⟨U+2069⟩",
		"\ufeff":             "⟨U+FEFF⟩",
		"\U000e0041":         "⟨U+E0041⟩",
		"\U0010ffff":         "⟨U+10FFFF⟩",
		"\xff\xc3":           "⟨0xFF⟩⟨0xC3⟩",
		"\ufffd is a letter": "\ufffd is a letter",
		"zwj\u200djoins":     "zwj\u200djoins",
	} {
		if got := Visible(s); got != want {
			t.Errorf("Visible(%q) = %q, want %q", s, got, want)
		}
	}
}

// FuzzText checks that escaped text is read back as what Visible says.
func FuzzText(f *testing.F) {
	for _, name := range hostile {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, s string) {
		escaped := string(appendText(nil, s))
		if got := html.UnescapeString(escaped); got != Visible(s) {
			t.Errorf("%q reads as %q, want %q", escaped, got, Visible(s))
		}
	})
}
