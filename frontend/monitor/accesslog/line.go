package accesslog

import (
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	// maxPath, maxAgent and maxWord bound what is written of a path, of a
	// User-Agent and of anything else that has no fixed form, in bytes.
	maxPath  = 2048
	maxAgent = 256
	maxWord  = 128
	// maxEntry is about the longest line: each byte may need six.
	maxEntry = 6*(maxPath+maxAgent+4*maxWord) + 512
	// cut stands where something was left out.
	cut = "..."
)

// second is the text of the second that was written last: most entries have
// the same as the one before.
type second struct {
	unix int64
	text [len("2006-01-02T15:04:05")]byte
}

// time appends t in UTC with milliseconds (RFC 3339).
func (l *Log) time(b []byte, t time.Time) []byte {
	if unix := t.Unix(); unix != l.second.unix || l.second.text[0] == 0 {
		l.second.unix = unix
		t.UTC().AppendFormat(l.second.text[:0], "2006-01-02T15:04:05")
	}
	b = append(b, l.second.text[:]...)
	b = append(b, '.')
	b = digits(b, t.Nanosecond()/int(time.Millisecond), 3)
	return append(b, 'Z')
}

// seconds appends a duration in seconds, to the microsecond.
func seconds(b []byte, d time.Duration) []byte {
	us := max(d.Microseconds(), 0)
	b = strconv.AppendInt(b, us/1e6, 10)
	b = append(b, '.')
	return digits(b, int(us%1e6), 6)
}

// digits appends n in a fixed number of digits.
func digits(b []byte, n, width int) []byte {
	for range width {
		b = append(b, '0')
	}
	for i := len(b) - 1; width > 0; i, width = i-1, width-1 {
		b[i] = byte('0' + n%10)
		n /= 10
	}
	return b
}

// json appends an entry as an object.
func (l *Log) json(b []byte, e *Entry) []byte {
	b = append(b, `{"time":"`...)
	b = l.time(b, e.Time)
	b = append(b, `","id":"`...)
	b = word(b, e.ID, maxWord)
	b = append(b, `","remote":"`...)
	if e.Remote.IsValid() {
		b = e.Remote.WithZone("").AppendTo(b)
	}
	b = append(b, `","user":"`...)
	b = word(b, e.User, maxWord)
	b = append(b, `","method":"`...)
	b = word(b, e.Method, maxWord)
	b = append(b, `","path":"`...)
	b = path(b, e.Path)
	b = append(b, `","status":`...)
	b = strconv.AppendInt(b, int64(e.Status), 10)
	b = append(b, `,"bytes":`...)
	b = strconv.AppendInt(b, e.Bytes, 10)
	b = append(b, `,"seconds":`...)
	b = seconds(b, e.Took)
	b = append(b, `,"endpoint":"`...)
	b = word(b, e.Endpoint, maxWord)
	b = append(b, `","proxied":`...)
	b = strconv.AppendBool(b, e.Proxied)
	b = append(b, `,"agent":"`...)
	b = word(b, e.Agent, maxAgent)
	return append(b, "\"}\n"...)
}

// text appends an entry as words.
func (l *Log) text(b []byte, e *Entry) []byte {
	b = append(b, "time="...)
	b = l.time(b, e.Time)
	b = append(b, ` id="`...)
	b = word(b, e.ID, maxWord)
	b = append(b, `" remote=`...)
	if e.Remote.IsValid() {
		b = e.Remote.WithZone("").AppendTo(b)
	}
	b = append(b, ` user="`...)
	b = word(b, e.User, maxWord)
	b = append(b, `" method="`...)
	b = word(b, e.Method, maxWord)
	b = append(b, `" path="`...)
	b = path(b, e.Path)
	b = append(b, `" status=`...)
	b = strconv.AppendInt(b, int64(e.Status), 10)
	b = append(b, ` bytes=`...)
	b = strconv.AppendInt(b, e.Bytes, 10)
	b = append(b, ` seconds=`...)
	b = seconds(b, e.Took)
	b = append(b, ` endpoint="`...)
	b = word(b, e.Endpoint, maxWord)
	b = append(b, `" proxied=`...)
	b = strconv.AppendBool(b, e.Proxied)
	b = append(b, ` agent="`...)
	b = word(b, e.Agent, maxAgent)
	return append(b, "\"\n"...)
}

// lost appends that n entries are missing.
func (l *Log) lost(b []byte, n int) []byte {
	if l.format == Text {
		b = append(b, "dropped="...)
		return append(strconv.AppendInt(b, int64(n), 10), '\n')
	}
	b = append(b, `{"dropped":`...)
	return append(strconv.AppendInt(b, int64(n), 10), "}\n"...)
}

const hex = "0123456789ABCDEF"

// harmless are the bytes that stand for themselves in a JSON string, literal
// those that do so in a path.
var harmless, literal = visible(`"\`), visible(`"\ %?#`)

// visible is the set of the visible bytes and the space, without those in but.
func visible(but string) (set [256]bool) {
	for c := byte(' '); c < 0x7f; c++ {
		set[c] = strings.IndexByte(but, c) < 0
	}
	return set
}

// path appends p percent-encoded: nothing of it is lost, and what remains
// needs no quoting.
func path(b []byte, p string) []byte {
	whole := len(p) <= maxPath
	if !whole {
		p = p[:maxPath]
	}
	from := 0
	for i := range len(p) {
		if c := p[i]; !literal[c] {
			b = append(b, p[from:i]...)
			b = append(b, '%', hex[c>>4], hex[c&15])
			from = i + 1
		}
	}
	b = append(b, p[from:]...)
	if !whole {
		b = append(b, cut...)
	}
	return b
}

// word appends s as the inside of a JSON string. What cannot be seen, or would
// move other text about, is escaped even where JSON does not ask for it.
func word(b []byte, s string, most int) []byte {
	whole := len(s) <= most
	if !whole {
		s = s[:most]
	}
	for i := 0; i < len(s); {
		from := i
		for i < len(s) && harmless[s[i]] {
			i++
		}
		if b = append(b, s[from:i]...); i == len(s) {
			break
		}
		if c := s[i]; c < utf8.RuneSelf {
			i++
			if c == '"' || c == '\\' {
				b = append(b, '\\', c)
			} else {
				b = unit(b, rune(c))
			}
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		i += size
		switch {
		case r == utf8.RuneError && size == 1:
			b = append(b, `\uFFFD`...)
		case unicode.IsPrint(r):
			b = utf8.AppendRune(b, r)
		case r < 0x10000:
			b = unit(b, r)
		default:
			r -= 0x10000
			b = unit(b, 0xD800|r>>10)
			b = unit(b, 0xDC00|r&0x3FF)
		}
	}
	if !whole {
		b = append(b, cut...)
	}
	return b
}

// unit appends the escape of one UTF-16 code unit.
func unit(b []byte, r rune) []byte {
	return append(b, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
}
