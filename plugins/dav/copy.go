package dav

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"canopy/plugins"
	"canopy/plugins/webclient"
	"canopy/plugins/wire/marker"
)

// markerSilence is how long a storage that copies may send no marker: they come
// every 5 s or oftener.
const markerSilence = 30 * time.Second

// ThirdParty is a copy between this storage and another party, made by this
// storage (WLCG HTTP-TPC).
type ThirdParty struct {
	// Source or Destination, and only one of them, is the other party's
	// absolute URL: where the file comes from, or where it goes.
	Source, Destination string
	// Header is what this storage shall send to the other party, such as
	// Authorization; it goes as TransferHeader fields to whatever host this
	// storage redirects the request to.
	Header http.Header
	// Overwrite is whether a file may be replaced.
	Overwrite bool
	// Verify demands that the storage compares checksums, and fails if it
	// cannot.
	Verify bool
	// Streams is how many connections are wished for; 0 leaves it to the
	// storage.
	Streams int
	// SciTag marks the packets on the network (1 to 65535); 0 is no mark.
	SciTag int
}

// CopyError is why a copy failed in the storage's words. They may be those of
// the other party, and have no credential in them that went into the copy.
type CopyError struct {
	State   marker.State
	Message string
}

// Error returns how the copy ended and why.
func (e *CopyError) Error() string {
	return fmt.Sprintf("the copy ended with %s: %q", e.State, e.Message)
}

// Copy has the storage copy path from or to another party, and returns when it
// has. progress, unless nil, is called as bytes arrive, with how many there are
// in all; the storage says so at least every 30 s, also of a copy that makes no
// progress, which ctx can end.
//
// The storage's refusals are errors as those of Store; Unsupported and Invalid
// are also those of storages without third-party copies, or in this direction.
// A copy that failed midway is Faulty, its cause being a *CopyError, and what
// has arrived may be left at its destination; so it may be after every error of
// a kind that is Silent.
//
// To another party only a storage may be asked to copy that is known to do so: a
// mere WebDAV server may take the destination for a path of its own, and write
// there.
func (e *endpoint) Copy(ctx context.Context, path string, c ThirdParty, progress func(bytes int64)) error {
	header, err := c.header()
	if err != nil {
		return e.fault(plugins.Invalid, "copy", path, err)
	}
	if c.Destination != "" && e.selfish(ctx) {
		return e.fault(plugins.Unsupported, "copy", path, errors.New("the storage is Apache, which copies within itself only, whatever host the destination names"))
	}
	r := webclient.Request{Op: "copy", Method: "COPY", Path: path, Header: header, Silence: markerSilence}
	if e.timeout > 0 {
		r.Wait = patience * e.timeout
	}
	resp, err := e.client.Do(ctx, r)
	if err != nil {
		return e.uncopied(ctx, path, c, err)
	}
	defer resp.Body.Close()
	var total marker.Progress
	outcome, err := marker.Read(resp.Body, func(m marker.Marker) {
		if n := total.Add(m); progress != nil {
			progress(n)
		}
	})
	switch {
	case err != nil:
		return plugins.Fail("copy", path, err)
	case outcome.State != marker.Success:
		return e.fault(plugins.Faulty, "copy", path, &CopyError{outcome.State, c.discreet(outcome.Message)})
	}
	return nil
}

// selfish reports whether the storage is known to take any destination for one
// of its own, so that it would write to a path that is not meant. Apache does
// where it has no virtual hosts.
func (e *endpoint) selfish(ctx context.Context) bool {
	name, known := e.client.Software()
	if !known {
		_ = e.Probe(ctx, "/") // whatever it says
		name, _ = e.client.Software()
	}
	return strings.HasPrefix(name, "Apache")
}

// header returns the fields of the request.
func (c *ThirdParty) header() (http.Header, error) {
	// XRootD compares the names to the letter, so none is brought into Go's form.
	h := http.Header{
		"Credential": {"none"}, "X-No-Delegate": {"true"}, "Overwrite": {"F"},
		"RequireChecksumVerification": {strconv.FormatBool(c.Verify)},
	}
	if c.Overwrite {
		h.Set("Overwrite", "T")
	}
	if c.Streams > 0 {
		h.Set("X-Number-Of-Streams", strconv.Itoa(c.Streams))
	}
	if c.SciTag > 0 {
		h["SciTag"] = []string{strconv.Itoa(c.SciTag)}
	}
	name, other := "Source", c.Source
	if c.Source == "" {
		name, other = "Destination", c.Destination
	}
	u, err := url.Parse(other)
	if err != nil || c.Source != "" && c.Destination != "" || u.Scheme != "http" && u.Scheme != "https" ||
		u.Hostname() == "" || u.User != nil || u.Fragment != "" || strings.ContainsFunc(other, unprintable) {
		return nil, errors.New("the other party must be one http or https URL without user, password and fragment")
	}
	h.Set(name, other)
	for name, values := range c.Header {
		if name == "" || strings.ContainsFunc(name, func(r rune) bool { return unprintable(r) || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r) }) {
			return nil, errors.New("a transfer header has no proper name")
		}
		for _, v := range values {
			if strings.ContainsFunc(v, func(r rune) bool { return r != ' ' && unprintable(r) }) {
				return nil, fmt.Errorf("the transfer header %s holds a character that cannot stand in a header", name)
			}
			h["TransferHeader"+name] = append(h["TransferHeader"+name], v)
		}
	}
	return h, nil
}

func unprintable(r rune) bool { return r <= ' ' || r >= 0x7f }

// discreet removes from a message what might be a credential of this copy: the
// values of its headers, and their words, and the other party's query.
func (c *ThirdParty) discreet(message string) string {
	var secrets []string
	for _, values := range c.Header {
		for _, v := range values {
			secrets = append(append(secrets, v), strings.Fields(v)...)
		}
	}
	for _, other := range []string{c.Source, c.Destination} {
		_, query, _ := strings.Cut(other, "?")
		secrets = append(secrets, query)
		if decoded, err := url.QueryUnescape(query); err == nil {
			secrets = append(secrets, decoded)
		}
		for pair := range strings.SplitSeq(query, "&") {
			_, value, _ := strings.Cut(pair, "=")
			secrets = append(secrets, value)
			if decoded, err := url.QueryUnescape(value); err == nil {
				secrets = append(secrets, decoded)
			}
		}
	}
	for _, s := range secrets {
		// What is shorter is no secret, and would tear other words apart.
		if len(s) >= shortestSecret {
			message = strings.ReplaceAll(message, s, "***")
		}
	}
	return message
}

// shortestSecret is what is taken for one, in bytes.
const shortestSecret = 8

// uncopied finds out why COPY was refused.
func (e *endpoint) uncopied(ctx context.Context, at string, c ThirdParty, err error) error {
	pull := c.Source != ""
	switch status(err) {
	case http.StatusPreconditionFailed:
		return e.fault(plugins.Exists, "copy", at, err)
	case http.StatusBadGateway:
		// The storage takes it for a copy within itself (RFC 4918 section
		// 9.8.5).
		return e.fault(plugins.Unsupported, "copy", at, err)
	case http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound, http.StatusConflict, http.StatusInternalServerError:
		entry, again := e.Stat(ctx, at)
		switch {
		case again == nil && entry.Kind == plugins.Directory:
			return e.fault(plugins.IsDirectory, "copy", at, err)
		case !pull && plugins.KindOf(again) == plugins.NotFound:
			return e.fault(plugins.NotFound, "copy", at, err)
		case pull && e.orphan(ctx, at):
			return e.fault(plugins.NoParent, "copy", at, err)
		case status(err) == http.StatusNotFound:
			return e.fault(plugins.Invalid, "copy", at, err)
		}
	}
	return err
}
