package multistatus

import (
	"bytes"
	"time"
)

// trim returns b without the white space of XML around it.
func trim(b []byte) []byte {
	if n := len(b); n > 0 && b[0] > ' ' && b[n-1] > ' ' {
		return b
	}
	return bytes.Trim(b, " \t\r\n")
}

// parseStatus returns the status code of a status line (RFC 4918 section
// 14.28): the first word that consists of three digits. It returns 0 if there
// is none.
func parseStatus(b []byte) int {
	for len(b) > 0 {
		word := b
		if i := bytes.IndexByte(b, ' '); i >= 0 {
			word, b = b[:i], b[i+1:]
		} else {
			b = nil
		}
		if n, rest := digits(word, 3); len(word) == 3 && len(rest) == 0 && n >= 100 {
			return n
		}
	}
	return 0
}

// parseSize returns a number of bytes, -1 if b is none. What is negative or
// does not fit says nothing usable either.
func parseSize(b []byte) int64 {
	if len(b) == 0 || len(b) > 19 {
		return -1
	}
	var n uint64
	for _, c := range b {
		if c < '0' || c > '9' {
			return -1
		}
		n = n*10 + uint64(c-'0')
	}
	if n > 1<<63-1 {
		return -1
	}
	return int64(n)
}

// parseBool reports whether b is one of the two words, whatever its case.
func parseBool(b []byte, word, other string) bool {
	return bytes.EqualFold(b, []byte(word)) || bytes.EqualFold(b, []byte(other))
}

// digits returns the number that the first n bytes of b are, and the rest; -1
// if they are not all digits.
func digits(b []byte, n int) (v int, rest []byte) {
	if len(b) < n {
		return -1, nil
	}
	for _, c := range b[:n] {
		if c < '0' || c > '9' {
			return -1, nil
		}
		v = v*10 + int(c-'0')
	}
	return v, b[n:]
}

// parseTime returns a time of getlastmodified or creationdate in UTC, the zero
// time if b is none or before the year 1. The two are told apart neither by
// all servers nor here: a date of RFC 9110 section 5.6.7 in any of its three
// forms, also with a numeric zone, or one of ISO 8601.
func parseTime(b []byte) time.Time {
	if t, ok := parseFixdate(b); ok {
		return t
	}
	if t, ok := parseISO(b); ok {
		return t
	}
	if len(b) > 40 {
		return time.Time{}
	}
	s := string(b)
	for _, layout := range [...]string{
		time.RFC850, time.ANSIC, time.RFC1123Z, time.RFC1123,
		"Mon, 2 Jan 2006 15:04:05 MST", "Mon, 2 Jan 2006 15:04:05 -0700",
	} {
		t, err := time.ParseInLocation(layout, s, time.UTC)
		if err != nil {
			continue
		}
		// Letters that name another zone do not tell its offset.
		if zone, offset := t.Zone(); offset != 0 || zone == "" || zone == "UTC" || zone == "GMT" {
			return known(t)
		}
	}
	return time.Time{}
}

// known returns t in UTC if its year has four digits, else the zero time.
func known(t time.Time) time.Time {
	if t = t.UTC(); t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}
	}
	return t
}

// parseFixdate reads "Mon, 02 Jan 2006 15:04:05 GMT", which is what nearly
// every server sends. The day of the week is not checked.
func parseFixdate(b []byte) (time.Time, bool) {
	if len(b) != 29 || b[3] != ',' || b[4] != ' ' || b[7] != ' ' || b[11] != ' ' ||
		b[16] != ' ' || b[19] != ':' || b[22] != ':' || string(b[25:]) != " GMT" {
		return time.Time{}, false
	}
	m := month(b[8:11])
	day, _ := digits(b[5:], 2)
	year, _ := digits(b[12:], 4)
	hour, _ := digits(b[17:], 2)
	minute, _ := digits(b[20:], 2)
	second, _ := digits(b[23:], 2)
	return date(year, m, day, hour, minute, second, 0)
}

// month returns the number of a month's English abbreviation, 0 if b is none.
func month(b []byte) int {
	for i := 0; i < len(months); i += 3 {
		if string(b) == months[i:i+3] {
			return i/3 + 1
		}
	}
	return 0
}

const months = "JanFebMarAprMayJunJulAugSepOctNovDec"

// parseISO reads "2006-01-02T15:04:05" with a fraction and a zone or without
// either; without a zone it is UTC.
func parseISO(b []byte) (time.Time, bool) {
	if len(b) < 19 || b[4] != '-' || b[7] != '-' || b[10] != 'T' && b[10] != 't' && b[10] != ' ' ||
		b[13] != ':' || b[16] != ':' {
		return time.Time{}, false
	}
	year, _ := digits(b, 4)
	m, _ := digits(b[5:], 2)
	day, _ := digits(b[8:], 2)
	hour, _ := digits(b[11:], 2)
	minute, _ := digits(b[14:], 2)
	second, _ := digits(b[17:], 2)
	b = b[19:]
	nanos, unit := 0, int(time.Second)
	if len(b) > 0 && (b[0] == '.' || b[0] == ',') {
		for b = b[1:]; len(b) > 0 && '0' <= b[0] && b[0] <= '9'; b = b[1:] {
			unit /= 10
			nanos += int(b[0]-'0') * unit
		}
	}
	t, ok := date(year, m, day, hour, minute, second, nanos)
	if !ok || len(b) == 0 || string(b) == "Z" || string(b) == "z" {
		return t, ok
	}
	if b[0] != '+' && b[0] != '-' {
		return time.Time{}, false
	}
	east := b[0] == '+'
	hour, b = digits(b[1:], 2)
	if len(b) > 0 && b[0] == ':' {
		b = b[1:]
	}
	minute = 0
	if len(b) > 0 {
		minute, b = digits(b, 2)
	}
	if hour < 0 || hour > 23 || minute < 0 || minute > 59 || len(b) > 0 {
		return time.Time{}, false
	}
	offset := time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute
	if east {
		offset = -offset
	}
	return known(t.Add(offset)), true
}

// date returns the time of parts that may be out of range, as -1 is.
func date(year, m, day, hour, minute, second, nanos int) (time.Time, bool) {
	if year < 1 || m < 1 || m > 12 || day < 1 || day > 31 ||
		hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60 {
		return time.Time{}, false
	}
	// A leap second has no place of its own in Go's time.
	t := time.Date(year, time.Month(m), day, hour, minute, min(second, 59), nanos, time.UTC)
	return t, t.Day() == day
}
