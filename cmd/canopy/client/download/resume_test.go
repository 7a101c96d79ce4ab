package download

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"canopy/plugins"
)

// interrupted downloads the first half of content and is then cancelled.
func interrupted(t *testing.T, f folder, job Job, content []byte) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	s := &source{content: content, tag: job.ETag}
	s.fail = func(call int, _ plugins.Range) error {
		if call == 5 {
			cancel()
			return ctx.Err()
		}
		return nil
	}
	r := newRun(sources{"a": s})
	r.Streams, r.Chunk = 1, mib
	if _, err := r.File(ctx, job, f.Root, "file"); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if names := f.names(); !slices.Equal(names, []string{"file.canopy-part", "file.canopy-part.json"}) {
		t.Fatalf("left behind: %q", names)
	}
}

func TestResume(t *testing.T) {
	content, other := bytesOf(1, 8*mib), bytesOf(2, 8*mib)
	job := func(c []byte, tag string, sums []plugins.Digest) Job {
		return Job{URL: "u", Size: int64(len(c)), ETag: tag, Digests: sums, Replicas: []string{"a"}}
	}
	elsewhere := job(content, `"1"`, nil)
	elsewhere.URL = "v"
	for _, test := range []struct {
		name        string
		first, then Job
		content     []byte
		resumed     int64
		notice      string
	}{
		{"same tag", job(content, `"1"`, nil), job(content, `"1"`, nil), content, 4 * mib, ""},
		{"same checksum", job(content, "", sha(content)), job(content, "", sha(content)), content, 4 * mib, ""},
		{"same checksum, another tag", job(content, `"1"`, sha(content)), job(content, `"2"`, sha(content)), content, 4 * mib, ""},
		{"another tag", job(content, `"1"`, nil), job(other, `"2"`, nil), other, 0, "the content has changed"},
		{"another checksum", job(content, `"1"`, sha(content)), job(other, `"1"`, sha(other)), other, 0, "the content has changed"},
		{"another size", job(content, `"1"`, nil), job(other[1:], `"1"`, nil), other[1:], 0, "the size is another"},
		{"weak tag", job(content, `W/"1"`, nil), job(content, `W/"1"`, nil), content, 0, "it cannot be told"},
		{"nothing known", job(content, "", nil), job(content, "", nil), content, 0, "it cannot be told"},
		{"another URL", elsewhere, job(content, `"1"`, nil), content, 0, "it cannot be told"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFolder(t)
			interrupted(t, f, test.first, content)
			s := &source{content: test.content, tag: test.then.ETag}
			r := newRun(sources{"a": s})
			result, err := r.File(t.Context(), test.then, f.Root, "file")
			if err != nil {
				t.Fatal(err)
			}
			f.holds("file", test.content)
			if result.Resumed != test.resumed {
				t.Errorf("resumed %d, want %d", result.Resumed, test.resumed)
			}
			if r.progress != int64(len(test.content)) {
				t.Errorf("progress %d", r.progress)
			}
			if got := strings.Join(r.notices, "\n"); !strings.Contains(got, test.notice) || test.notice == "" && got != "" {
				t.Errorf("notices %q", got)
			}
		})
	}
}

// TestResumeOfWrongBytes shows that what was spoilt on the disk is found out.
func TestResumeOfWrongBytes(t *testing.T) {
	content := bytesOf(1, 8*mib)
	job := Job{URL: "u", Size: 8 * mib, Digests: sha(content), Replicas: []string{"a"}}
	f := newFolder(t)
	interrupted(t, f, job, content)
	p, err := openPart(f.Root, "file")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.file.WriteAt([]byte("spoilt"), 100); err != nil {
		t.Fatal(err)
	}
	p.close()
	r := newRun(sources{"a": {content: content}})
	if _, err := r.File(t.Context(), job, f.Root, "file"); err != nil {
		t.Fatal(err)
	}
	f.holds("file", content)
	if r.progress != 8*mib {
		t.Errorf("progress %d", r.progress)
	}
}

// FuzzState shows that whatever notes lie beside a part, the result is right.
func FuzzState(f *testing.F) {
	content := bytesOf(1, 1000)
	f.Add([]byte(`{"url":"u","size":1000,"etag":"\"1\"","done":[{"from":0,"to":500}]}`), []byte("x"))
	f.Add([]byte(`{"url":"u","size":1000,"etag":"\"1\"","done":[{"from":-5,"to":5000}]}`), []byte("x"))
	f.Add([]byte(`{"done":null,"digests":{"sha-256":"zz"}}`), []byte(""))
	f.Add([]byte(`not JSON`), []byte("x"))
	f.Fuzz(func(t *testing.T, notes, bytes []byte) {
		dir := newFolder(t)
		if err := errors.Join(dir.WriteFile("file"+suffix, bytes, 0o600), dir.WriteFile("file"+suffix+stateSuffix, notes, 0o600)); err != nil {
			t.Fatal(err)
		}
		r := newRun(sources{"a": {content: content}})
		if _, err := r.File(t.Context(), Job{URL: "u", Size: 1000, ETag: `"1"`, Digests: sha(content), Replicas: []string{"a"}}, dir.Root, "file"); err != nil {
			t.Fatal(err)
		}
		dir.holds("file", content)
	})
}
