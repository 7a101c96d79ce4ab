package conditional

import (
	"net/http"
	"testing"
	"time"
)

const (
	before = "Mon, 02 Jan 2023 03:04:04 GMT"
	same   = "Mon, 02 Jan 2023 03:04:05 GMT"
	after  = "Mon, 02 Jan 2023 03:04:06 GMT"
)

var strong = Validators{`"a,b"`, time.Date(2023, 1, 2, 3, 4, 5, 999, time.UTC)}

func TestFailed(t *testing.T) {
	for _, c := range []struct {
		v            Validators
		field, value string
		want         bool
	}{
		{strong, "X", "", false},
		{strong, "If-Match", `"a,b"`, false},
		{strong, "If-Match", `"x", "a,b"`, false},
		{strong, "If-Match", `*`, false},
		{strong, "If-Match", `"x"`, true},
		{strong, "If-Match", `W/"a,b"`, true},
		{strong, "If-Match", `nonsense`, true},
		{Validators{ETag: `W/"a"`}, "If-Match", `W/"a"`, true},
		{Validators{}, "If-Match", `""`, true},
		{strong, "If-Unmodified-Since", before, true},
		{strong, "If-Unmodified-Since", same, false},
		{strong, "If-Unmodified-Since", after, false},
		{strong, "If-Unmodified-Since", "nonsense", false},
		{Validators{}, "If-Unmodified-Since", before, false},
	} {
		if got := c.v.Failed(http.Header{c.field: {c.value}}); got != c.want {
			t.Errorf("%v %s: %s: got %v", c.v, c.field, c.value, got)
		}
	}
}

func TestNotModified(t *testing.T) {
	for _, c := range []struct {
		v            Validators
		field, value string
		want         bool
	}{
		{strong, "X", "", false},
		{strong, "If-None-Match", `"a,b"`, true},
		{strong, "If-None-Match", `W/"a,b"`, true},
		{strong, "If-None-Match", `"x",W/"a,b"`, true},
		{strong, "If-None-Match", `*`, true},
		{strong, "If-None-Match", `"a"`, false},
		{strong, "If-None-Match", `"a,b`, false},
		{strong, "If-None-Match", `W/`, false},
		{Validators{}, "If-None-Match", `""`, false},
		{Validators{ETag: `W/"a"`}, "If-None-Match", `"a"`, true},
		{strong, "If-Modified-Since", before, false},
		{strong, "If-Modified-Since", same, true},
		{strong, "If-Modified-Since", after, true},
		{Validators{}, "If-Modified-Since", after, false},
	} {
		if got := c.v.NotModified(http.Header{c.field: {c.value}}); got != c.want {
			t.Errorf("%v %s: %s: got %v", c.v, c.field, c.value, got)
		}
	}
	// The tag decides where both are given.
	if strong.NotModified(http.Header{"If-None-Match": {`"x"`}, "If-Modified-Since": {after}}) {
		t.Error("the date overruled the tag")
	}
	if strong.Failed(http.Header{"If-Match": {`"a,b"`}, "If-Unmodified-Since": {before}}) {
		t.Error("the date overruled the tag")
	}
}

func TestRangeHolds(t *testing.T) {
	for _, c := range []struct {
		v     Validators
		value string
		want  bool
	}{
		{strong, `"a,b"`, true},
		{strong, `"a"`, false},
		{strong, `W/"a,b"`, false},
		{Validators{ETag: `W/"a"`}, `W/"a"`, false},
		{strong, same, true},
		{strong, before, false},
		{strong, after, false},
		{strong, "nonsense", false},
		{Validators{}, same, false},
	} {
		if got := c.v.RangeHolds(http.Header{"If-Range": {c.value}}); got != c.want {
			t.Errorf("%v %s: got %v", c.v, c.value, got)
		}
	}
	if !strong.RangeHolds(http.Header{}) {
		t.Error("without If-Range")
	}
}

func FuzzConditional(f *testing.F) {
	f.Add(`"a", W/"b"`, `"b"`)
	f.Add("*", "")
	f.Add(`W/"`, `W/""`)
	f.Fuzz(func(t *testing.T, list, tag string) {
		v := Validators{ETag: tag}
		h := http.Header{"If-Match": {list}, "If-None-Match": {list}, "If-Range": {list}}
		v.RangeHolds(h)
		// What is the same by the strong comparison is so by the weak one.
		if !v.Failed(h) && !v.NotModified(h) {
			t.Errorf("%q in %q", tag, list)
		}
	})
}
