package sums

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"canopy/plugins"
	"canopy/plugins/wire/digest"
)

func TestRunning(t *testing.T) {
	for _, size := range []int{0, 9, apart - 1, apart, 1 << 20} {
		content := bytes.Repeat([]byte("Wikipedia"), size/9+1)[:size]
		r := New("sha-512", "md5", "rot13")
		for part := range bytes.SplitSeq(content, []byte("W")) {
			r.Write(part)
		}
		content = bytes.ReplaceAll(content, []byte("W"), nil)
		r.Write(content)
		content = append(content, content...)
		var want []plugins.Digest
		for _, name := range []string{"adler32", "md5", "sha-256", "crc32c", "sha-512"} {
			h := digest.New(name)
			h.Write(content)
			want = append(want, plugins.Digest{Algorithm: name, Sum: string(h.Sum(nil))})
		}
		if diff := cmp.Diff(want, r.Digests()); diff != "" {
			t.Errorf("%d bytes (-want +got):\n%s", size, diff)
		}
	}
}

func TestFormat(t *testing.T) {
	v := Version{Size: 9, Changed: 1425445567000000000, Inode: 1234}
	r := New()
	r.Write([]byte("Wikipedia"))

	text := format(v, r.Digests())
	if got, _, _ := strings.Cut(text, " md5:"); got != "1 9 1425445567000000000 1234 adler32:11e60398" {
		t.Errorf("got %s", text)
	}
	if len(text) > longest {
		t.Errorf("%d bytes", len(text))
	}
	gotV, got := parse(text)
	if gotV != v || !cmp.Equal(got, r.Digests()) {
		t.Errorf("read back: %+v, %v", gotV, got)
	}
}

func TestParse(t *testing.T) {
	for _, text := range []string{
		"", "1", "1 9 1 1", "2 9 1 1 adler32:11e60398", "1 x 1 1 adler32:11e60398", "1 9 1 -1 adler32:11e60398",
		"1 9 1 1 adler32:11e603", "1 9 1 1 adler32", "1 9 1 1 rot13:11e60398", "1 9 1 1 ADLER32:11e60398",
		"1 9 1 1 adler32:11e60398 ", "1 9 1 1  adler32:11e60398", "1 9 1 1 adler32:11e6039g",
	} {
		if v, digests := parse(text); digests != nil || v != (Version{}) {
			t.Errorf("%q: %+v, %v", text, v, digests)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{"", "1 9 1 1 adler32:11e60398", "1 0 -5 18446744073709551615 crc32c:00000000 md5:9aaf26e9a9a7ae8e8ee8ac1b9e1e4ae9"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, digests := parse(text)
		if digests == nil {
			return
		}
		for _, d := range digests {
			if !digest.Valid(d) {
				t.Errorf("%q: %+v", text, d)
			}
		}
		if again, same := parse(format(v, digests)); again != v || !cmp.Equal(same, digests) {
			t.Errorf("%q reads as %+v %v, written again as %+v %v", text, v, digests, again, same)
		}
	})
}

func TestKept(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	v := Version{Size: 9, Changed: 7, Inode: 5}
	if got := Kept(f, v); got != nil {
		t.Errorf("before: %v", got)
	}
	want := New().Digests()
	if err := Keep(f, v, want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, Kept(f, v)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, other := range []Version{{Size: 8, Changed: 7, Inode: 5}, {Size: 9, Changed: 8, Inode: 5}, {Size: 9, Changed: 7, Inode: 6}} {
		if got := Kept(f, other); got != nil {
			t.Errorf("of %+v: %v", other, got)
		}
	}
	if err := set(f, attribute, bytes.Repeat([]byte("1 "), longest)); err != nil {
		t.Fatal(err)
	}
	if got := Kept(f, v); got != nil {
		t.Errorf("of an endless attribute: %v", got)
	}
}

func BenchmarkWrite(b *testing.B) {
	buffer := make([]byte, 256<<10)
	r := New()
	b.SetBytes(int64(len(buffer)))
	for b.Loop() {
		r.Write(buffer)
	}
}
