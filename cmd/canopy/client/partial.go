package client

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"canopy/plugins"
	"canopy/plugins/webclient"
	"canopy/plugins/wire/answer"
	"canopy/plugins/wire/multistatus"
)

// maxFailures bounds how many failures of one answer are kept.
const maxFailures = 1000

// ErrLeft is among the errors of an upload or copy that has failed, and of which
// something half-done may be left.
var ErrLeft = errors.New("what was begun there could not be removed")

// Partial is the error of a change that the server could make in part only, as
// it says with 207 (RFC 4918 section 9.6.1).
type Partial struct {
	// Failures are in the order of the answer, the first thousand at most.
	Failures []Failure
	// More is how many others there were.
	More int
}

// Failure is one path that was not changed.
type Failure struct {
	// Path is decoded, as far as the server wrote a path.
	Path   string
	Status int
}

// String returns the path and why.
func (f Failure) String() string {
	return fmt.Sprintf("%q: %d %s", f.Path, f.Status, http.StatusText(f.Status))
}

// Error returns the first failure and how many there are.
func (p *Partial) Error() string {
	n := len(p.Failures) + p.More - 1
	if n == 0 {
		return "not all of it: " + p.Failures[0].String()
	}
	return fmt.Sprintf("not all of it: %v and %d more", p.Failures[0], n)
}

// partial207 reads the answer to a change, and returns nil if nothing failed.
func partial207(resp *http.Response) error {
	p := &Partial{}
	for r, err := range multistatus.Scan(resp.Body, multistatus.Limits{}) {
		if err != nil {
			return errors.Join(err, p.error())
		}
		switch {
		case r.Status < http.StatusMultipleChoices, r.Status == http.StatusFailedDependency:
			// What depends on something that failed is not worth a line.
		case len(p.Failures) == maxFailures:
			p.More++
		default:
			p.Failures = append(p.Failures, Failure{Path: decoded(r.Href), Status: r.Status})
		}
	}
	return p.error()
}

// error is p as one of the kind of its first failure, nil if there is none.
func (p *Partial) error() error {
	if len(p.Failures) == 0 {
		return nil
	}
	return &plugins.Error{Kind: answer.Kind(p.Failures[0].Status), Err: p}
}

// decoded is the path of an href, for people.
func decoded(href string) string {
	components, ok := webclient.Split(href)
	if !ok {
		return href
	}
	return "/" + strings.Join(components, "/")
}
