package notes

import (
	"encoding/xml"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"canopy/plugins"
)

func open(t *testing.T) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestNotes(t *testing.T) {
	f := open(t)
	want := []plugins.Property{
		{Name: xml.Name{Space: "urn:x", Local: "a"}, Value: `<b xmlns="">&lt;</b>`, Lang: "en"},
		{Name: xml.Name{Local: "c"}},
	}
	for _, all := range [][]plugins.Property{nil, want, want[1:], nil, nil} {
		if err := Write(f, all); err != nil {
			t.Fatal(err)
		}
		got, err := Read(f)
		if diff := cmp.Diff(all, got); diff != "" || err != nil {
			t.Error(err, diff)
		}
	}
}

// A write that does not fit leaves what was there.
func TestTooMuch(t *testing.T) {
	f := open(t)
	small := []plugins.Property{{Name: xml.Name{Local: "a"}, Value: "1"}}
	if err := Write(f, small); err != nil {
		t.Fatal(err)
	}
	large := []plugins.Property{{Name: xml.Name{Local: "b"}, Value: strings.Repeat("x", longest)}}
	if err := Write(f, large); !errors.Is(err, ErrTooMuch) {
		t.Error(err)
	}
	got, err := Read(f)
	if diff := cmp.Diff(small, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
}

// What others wrote there is no property.
func TestForeign(t *testing.T) {
	f := open(t)
	for _, text := range []string{"x", "<a>", "</prop><prop>", `<getetag xmlns="DAV:">"1"</getetag>`, "\x00"} {
		if err := set(f, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := Read(f); len(got) != 0 && text != "x" || err != nil {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

func TestFailed(t *testing.T) {
	f := open(t)
	f.Close()
	if _, err := Read(f); err == nil {
		t.Error("a closed file was read")
	}
	if err := Write(f, nil); err == nil {
		t.Error("a closed file was written to")
	}
}
