package http

import (
	"encoding/json"
	"errors"
	"io"
	"iter"
	"net/http"
	"time"
	"unicode/utf8"

	"canopy/plugins"
)

// caddyLimit is how many entries of a directory Caddy lists unless its
// file_limit says otherwise. It does not tell that there are more.
const caddyLimit = 10_000

// readJSON reads the index in JSON of nginx or Caddy: an array of rows.
func readJSON(l *listing, r io.Reader) iter.Seq2[plugins.Entry, error] {
	return func(yield func(plugins.Entry, error) bool) {
		input := &allowance{r: r, total: maxIndex, limit: maxRow}
		rows := json.NewDecoder(input)
		fail := func(err error) {
			var fault *plugins.Error
			if !errors.As(err, &fault) {
				err = malformed("the index is no sound JSON of nginx or Caddy")
			}
			yield(plugins.Entry{}, err)
		}
		input.next()
		if start, err := rows.Token(); err != nil || start != json.Delim('[') {
			fail(err)
			return
		}
		caddy := 0
		for rows.More() {
			input.next()
			var r row
			if err := rows.Decode(&r); err != nil {
				fail(err)
				return
			}
			if r.IsDir != nil {
				caddy++
			}
			e, ok, err := r.entry(l)
			if err != nil {
				fail(err)
				return
			}
			if !ok || !l.first(e.Name) {
				continue
			}
			if l.full() {
				fail(errTooLarge)
				return
			}
			if !yield(e, nil) {
				return
			}
		}
		if _, err := rows.Token(); err != nil {
			fail(err)
		} else if caddy == caddyLimit {
			fail(&plugins.Error{Kind: plugins.Unsupported, Err: errors.New("a Caddy server lists the first 10000 entries of a directory only, unless its file_limit is set")})
		}
	}
}

// row is a row of the index of nginx (name, type, mtime, size) or of Caddy
// (url, is_dir, is_symlink, mod_time, size).
type row struct {
	Name      json.RawMessage `json:"name"`
	Type      string          `json:"type"`
	MTime     string          `json:"mtime"`
	Size      *int64          `json:"size"`
	URL       string          `json:"url"`
	IsDir     *bool           `json:"is_dir"`
	IsSymlink bool            `json:"is_symlink"`
	ModTime   time.Time       `json:"mod_time"`
}

// entry returns what a row says; false if that is neither a file nor a
// directory below l, an error if it is of a server that is not known.
func (r *row) entry(l *listing) (plugins.Entry, bool, error) {
	if r.IsDir != nil {
		return r.caddy(l)
	}
	e := plugins.Entry{Size: -1}
	switch r.Type {
	case "":
		return e, false, &plugins.Error{Kind: plugins.Unsupported, Err: errors.New("the index is JSON of an unknown kind")}
	case "file":
		e.Kind = plugins.File
		e.Size = r.size()
	case "directory":
		e.Kind = plugins.Directory
	default:
		// A device, or a symbolic link that leads nowhere.
		return e, false, nil
	}
	name, ok := unquote(r.Name)
	e.Name = name
	if t, err := http.ParseTime(r.MTime); err == nil {
		e.ModTime = t.UTC()
	}
	return e, ok && validName(name), nil
}

// caddy reads a row of Caddy, whose names are mutilated if they are not UTF-8,
// but not so its URLs. Of a symbolic link it gives its own size and time.
func (r *row) caddy(l *listing) (plugins.Entry, bool, error) {
	e, ok := l.child(r.URL)
	if *r.IsDir {
		e.Kind = plugins.Directory
	}
	if !r.IsSymlink {
		if e.Kind == plugins.File {
			e.Size = r.size()
		}
		// As exact as the time that HEAD gives.
		e.ModTime = r.ModTime.UTC().Truncate(time.Second)
	}
	return e, ok, nil
}

func (r *row) size() int64 {
	if r.Size == nil || *r.Size < 0 {
		return -1
	}
	return *r.Size
}

// unquote returns the string in raw, whose bytes need not be UTF-8: nginx
// writes names as they are.
func unquote(raw []byte) (string, bool) {
	var s string
	if utf8.Valid(raw) {
		err := json.Unmarshal(raw, &s)
		return s, err == nil
	}
	// Each byte beyond ASCII travels through the decoder as the character of
	// that number.
	wide := make([]rune, len(raw))
	for i, b := range raw {
		wide[i] = rune(b)
	}
	if json.Unmarshal([]byte(string(wide)), &s) != nil {
		return "", false
	}
	name := make([]byte, 0, len(s))
	for _, r := range s {
		if r <= 0xff {
			name = append(name, byte(r))
		} else {
			name = utf8.AppendRune(name, r)
		}
	}
	return string(name), true
}
