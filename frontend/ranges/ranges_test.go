package ranges

import (
	"bytes"
	"io"
	"math"
	"mime"
	"mime/multipart"
	"slices"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		header string
		want   []Range
		is     Verdict
	}{
		{"", nil, Ignored},
		{"bytes=0-4", []Range{{0, 5}}, Partial},
		{"BYTES = 0-4", []Range{{0, 5}}, Partial},
		{"bytes=9-", []Range{{9, 1}}, Partial},
		{"bytes=0-", []Range{{0, 10}}, Partial},
		{"bytes=-3", []Range{{7, 3}}, Partial},
		{"bytes=-30", []Range{{0, 10}}, Partial},
		{"bytes=5-300", []Range{{5, 5}}, Partial},
		{"bytes=5-99999999999999999999999", []Range{{5, 5}}, Partial},
		{"bytes=10-", nil, Unsatisfiable},
		{"bytes=99999999999999999999-", nil, Unsatisfiable},
		{"bytes=-0", nil, Unsatisfiable},
		{"bytes=10-,2-3", []Range{{2, 2}}, Partial},
		{"bytes=8-9, 0-1,", []Range{{8, 2}, {0, 2}}, Partial},
		{"bytes=0-1,2-3", []Range{{0, 2}, {2, 2}}, Partial},
		{"bytes=4-5,0-2,1-3", []Range{{0, 6}}, Partial},
		{"bytes=0-9,0-9,0-9", []Range{{0, 10}}, Partial},
		{"bytes=", nil, Ignored},
		{"bytes=,", nil, Ignored},
		{"bytes=3-2", nil, Ignored},
		{"bytes=a-b", nil, Ignored},
		{"bytes=1", nil, Ignored},
		{"bytes=-", nil, Ignored},
		{"bytes=+1-2", nil, Ignored},
		{"bytes=1--2", nil, Ignored},
		{"items=0-1", nil, Ignored},
		{"bytes 0-1", nil, Ignored},
		{"bytes=" + strings.Repeat("0-0,", maxRanges+1), nil, Ignored},
	} {
		got, is := Parse(c.header, 10)
		if !slices.Equal(got, c.want) || is != c.is {
			t.Errorf("%.40q: got %v %v, want %v %v", c.header, got, is, c.want, c.is)
		}
	}
	if _, is := Parse("bytes=0-1", -1); is != Ignored {
		t.Error("of an unknown size:", is)
	}
	if _, is := Parse("bytes=0-1", 0); is != Unsatisfiable {
		t.Error("of an empty file:", is)
	}
}

func TestMultipart(t *testing.T) {
	const content = "0123456789"
	m := NewMultipart("XyZ", "text/plain", int64(len(content)))
	parts := []Range{{8, 2}, {0, 1}, {3, 4}}
	var b []byte
	for i, r := range parts {
		b = m.AppendHeader(b, r, i == 0)
		b = append(b, content[r.Offset:r.End()]...)
	}
	b = m.AppendEnd(b)
	if int64(len(b)) != m.Length(parts) {
		t.Errorf("%d bytes, announced %d", len(b), m.Length(parts))
	}
	// davix wants the range to stand last.
	if !strings.HasPrefix(string(b), "--XyZ\r\nContent-Type: text/plain\r\nContent-Range: bytes 8-9/10\r\n\r\n89\r\n--XyZ\r\n") {
		t.Errorf("%s", b)
	}
	_, params, err := mime.ParseMediaType(m.ContentType())
	if err != nil {
		t.Fatal(err)
	}
	r := multipart.NewReader(bytes.NewReader(b), params["boundary"])
	for _, want := range parts {
		p, err := r.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(p)
		if string(got) != content[want.Offset:want.End()] || p.Header.Get("Content-Range") != want.ContentRange(10) {
			t.Errorf("%q %v", got, p.Header)
		}
	}
	if _, err := r.NextPart(); err != io.EOF {
		t.Error(err)
	}
	if got := (Range{0, 5}).ContentRange(-1); got != "bytes 0-4/*" {
		t.Error(got)
	}
}

func FuzzRange(f *testing.F) {
	f.Add("bytes=0-1,5-9,-3", int64(10))
	f.Add("bytes=9223372036854775807-9223372036854775807", int64(math.MaxInt64))
	f.Add("bytes=-9223372036854775808", int64(1))
	f.Fuzz(func(t *testing.T, header string, size int64) {
		got, is := Parse(header, size)
		if (len(got) > 0) != (is == Partial) || len(got) > maxRanges {
			t.Fatal(got, is)
		}
		sorted := slices.Clone(got)
		slices.SortFunc(sorted, func(a, b Range) int { return int(min(1, max(-1, a.Offset-b.Offset))) })
		at := int64(0)
		for _, r := range sorted {
			if r.Length < 1 || r.Offset < at || r.Length > size-r.Offset {
				t.Fatal(got)
			}
			at = r.End()
		}
	})
}
