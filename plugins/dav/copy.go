package dav

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"canopy/plugins"
	"canopy/plugins/webclient"
	"canopy/plugins/wire/marker"
)

// markerSilence is how long a storage that copies may send no marker: they come
// every 5 s or oftener.
const markerSilence = 30 * time.Second

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

// Copy implements plugins.Copier. The storage tells of its progress at least every
// 30 s, also of a copy that makes none, which ctx can end. A copy that failed
// midway is Faulty, its cause being a *CopyError; Unsupported and Invalid are also
// the errors of a storage without third-party copies, or in this mode.
//
// To another party only a storage may be asked to copy that is known to do so: a
// mere WebDAV server may take the destination for a path of its own, and write
// there.
func (e *endpoint) Copy(ctx context.Context, path string, other plugins.ThirdParty) error {
	header, err := partyHeader(other)
	if err != nil {
		return e.fault(plugins.Invalid, "copy", path, err)
	}
	if other.Mode == plugins.Push && e.selfish(ctx) {
		return e.fault(plugins.Unsupported, "copy", path, errors.New("the storage is Apache, which copies within itself only, whatever host the destination names"))
	}
	r := webclient.Request{Op: "copy", Method: "COPY", Path: path, Header: header, Silence: markerSilence}
	if e.timeout > 0 {
		r.Wait = patience * e.timeout
	}
	resp, err := e.client.Do(ctx, r)
	if err != nil {
		return e.uncopied(ctx, path, other.Mode, err)
	}
	defer resp.Body.Close()
	outcome, err := marker.Read(resp.Body, nil)
	switch {
	case err != nil:
		return plugins.Fail("copy", path, err)
	case outcome.State != marker.Success:
		return e.fault(plugins.Faulty, "copy", path, &CopyError{outcome.State, discreet(outcome.Message, other.URL)})
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

// partyHeader returns the fields of the request. No credential goes along, and
// the storage is to use none of its own making. Whether both have the same file
// in the end is for the caller to find out: storages differ in what they take
// RequireChecksumVerification for.
func partyHeader(other plugins.ThirdParty) (http.Header, error) {
	u, err := url.Parse(other.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" ||
		u.User != nil || u.Fragment != "" || strings.ContainsFunc(other.URL, unprintable) {
		return nil, errors.New("the other party must be an http or https URL without user, password and fragment")
	}
	// XRootD compares the names to the letter, so none is brought into Go's form.
	h := http.Header{
		"Credential": {"none"}, "X-No-Delegate": {"true"}, "Overwrite": {"F"}, "RequireChecksumVerification": {"false"},
	}
	switch other.Mode {
	case plugins.Pull:
		h.Set("Source", other.URL)
	case plugins.Push:
		h.Set("Destination", other.URL)
	default:
		return nil, fmt.Errorf("%q is not a mode", other.Mode)
	}
	return h, nil
}

func unprintable(r rune) bool { return r <= ' ' || r >= 0x7f }

// discreet removes from a message what might be a credential: the query of the
// other party's URL, and what it is made of.
func discreet(message, other string) string {
	_, query, _ := strings.Cut(other, "?")
	secrets := []string{query}
	for pair := range strings.SplitSeq(query, "&") {
		_, value, _ := strings.Cut(pair, "=")
		secrets = append(secrets, value)
	}
	for _, s := range secrets {
		decoded, err := url.QueryUnescape(s)
		if err != nil {
			decoded = s
		}
		for _, secret := range []string{s, decoded} {
			// What is shorter is no secret, and would tear other words apart.
			if len(secret) >= shortestSecret {
				message = strings.ReplaceAll(message, secret, "***")
			}
		}
	}
	return message
}

// shortestSecret is what is taken for one, in bytes.
const shortestSecret = 8

// uncopied finds out why COPY was refused.
func (e *endpoint) uncopied(ctx context.Context, at string, mode plugins.CopyMode, err error) error {
	pull := mode == plugins.Pull
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
