package multistatus

import (
	"testing"
	"time"
)

func TestParseTime(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"Sun, 06 Nov 1994 08:49:37 GMT", "1994-11-06T08:49:37Z"},
		{"Thu, 29 Feb 2024 23:59:60 GMT", "2024-02-29T23:59:59Z"},
		{"Sunday, 06-Nov-94 08:49:37 GMT", "1994-11-06T08:49:37Z"},
		{"Sun Nov  6 08:49:37 1994", "1994-11-06T08:49:37Z"},
		{"Sun, 06 Nov 1994 08:49:37 UTC", "1994-11-06T08:49:37Z"},
		{"Sun, 6 Nov 1994 08:49:37 GMT", "1994-11-06T08:49:37Z"},
		{"Sun, 06 Nov 1994 08:49:37 +0200", "1994-11-06T06:49:37Z"},
		{"1994-11-06T08:49:37Z", "1994-11-06T08:49:37Z"},
		{"1994-11-06t08:49:37z", "1994-11-06T08:49:37Z"},
		{"1994-11-06T08:49:37", "1994-11-06T08:49:37Z"},
		{"1994-11-06 08:49:37.25+01:30", "1994-11-06T07:19:37.25Z"},
		{"1994-11-06T08:49:37,1234567891-0100", "1994-11-06T09:49:37.123456789Z"},
		{"1994-11-06T08:49:37+02", "1994-11-06T06:49:37Z"},
		{"9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"},

		{"", ""},
		{"0", ""},
		{"yesterday", ""},
		{"Sun, 06 Nov 1994 08:49:37 GMT and much more", ""},
		{"Sun, 06 Nov 1994 08:49:37 CET", ""},
		{"Fri, 30 Feb 2024 00:00:00 GMT", ""},
		{"Sun, 06 Nov 1994 24:00:00 GMT", ""},
		{"Sun, 06 Nov 1994 0x:00:00 GMT", ""},
		{"Sun, 06 Foo 1994 08:49:37 GMT", ""},
		{"Sun, 06 Nov 0000 08:49:37 GMT", ""},
		{"2023-02-29T00:00:00Z", ""},
		{"1994-11-06T08:49:37X", ""},
		{"1994-11-06T08:49:37+1", ""},
		{"1994-11-06T08:49:37+01:60", ""},
		{"1994-11-06T08:49:37+01:00Z", ""},
		{"9999-12-31T23:59:59-01:00", ""},
		{"0001-01-01T00:00:00+01:00", ""},
	} {
		got := ""
		if v := parseTime([]byte(c.in)); !v.IsZero() {
			got = v.Format(time.RFC3339Nano)
			if v.Location() != time.UTC {
				t.Errorf("%q: not in UTC", c.in)
			}
		}
		if got != c.want {
			t.Errorf("%q: got %q, want %q", c.in, got, c.want)
		}
	}
}

func TestParseStatus(t *testing.T) {
	for in, want := range map[string]int{
		"HTTP/1.1 200 OK": 200, "HTTP/1.1 404": 404, "HTTP/2 507 Full 200": 507, "423": 423, "  403 ": 403,
		"": 0, "HTTP/1.1": 0, "OK": 0, "HTTP/1.1 2000 OK": 0, "099": 0, "20 0": 0, "-12": 0,
	} {
		if got := parseStatus([]byte(in)); got != want {
			t.Errorf("%q: got %d, want %d", in, got, want)
		}
	}
}

// Every time that can be written can be read.
func TestCalendar(t *testing.T) {
	var fix, iso calendar
	for _, s := range []int64{-62135596799, -86401, -86400, -1, 0, 1, 86399, 86400, 1709210096, 253402300799} {
		at := time.Unix(s, 999).UTC()
		if got, want := string(fix.appendFixdate(nil, at)), at.Format("Mon, 02 Jan 2006 15:04:05 GMT"); got != want {
			t.Errorf("%d: got %q, want %q", s, got, want)
		}
		if got, want := string(iso.appendISO(nil, at)), at.Format(time.RFC3339); got != want {
			t.Errorf("%d: got %q, want %q", s, got, want)
		}
		if !writable(at) {
			t.Errorf("%d is not writable", s)
		}
	}
	for _, at := range []time.Time{{}, time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)} {
		if writable(at) {
			t.Errorf("%v is writable", at)
		}
	}
}
