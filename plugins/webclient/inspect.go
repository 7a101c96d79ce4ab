package webclient

import (
	"context"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"canopy/plugins"
	"canopy/plugins/wire/answer"
)

// tick is the precision of the Date header (RFC 9110 section 6.6.1). Servers
// cut off what is less, so on average they are half of it later than they say.
const tick = time.Second

// Inspect asks by OPTIONS, as plugins.Inspector demands, with the credentials
// that a PUT would have. A storage lists the methods that it has for a file
// (RFC 9110 section 10.2.1), often also for one that does not exist; where it
// says nothing of that, what it lists for the directory counts. Many do not ask
// who somebody is before they answer, so a yes is one to those who may.
func (c *Client) Inspect(ctx context.Context, p string) (plugins.Inspection, error) {
	found, err := c.options(ctx, p, false)
	if err != nil || found.Writable != plugins.Undecided || p == "/" {
		return found, err
	}
	above, err := c.options(ctx, path.Dir(p), true)
	if !found.Timed {
		found.Timed, found.Skew = above.Timed, above.Skew
	}
	found.Writable = above.Writable
	return found, err
}

// options asks about one path. Any answer is one, whatever its status, and a
// redirect is not followed: it is the endpoint whose clock and rules count.
func (c *Client) options(ctx context.Context, p string, collection bool) (plugins.Inspection, error) {
	ctx, dog := watch(ctx, c.timeout)
	defer dog.end()
	r := Request{Op: "inspect", Method: http.MethodOptions, Path: p, Collection: collection}
	failed := func(fault *plugins.Error) (plugins.Inspection, error) {
		fault.Op, fault.Endpoint, fault.Path = r.Op, c.name, r.Path
		return plugins.Inspection{}, fault
	}
	at, fault := c.target(&r)
	if fault != nil {
		return failed(fault)
	}
	began := time.Now()
	resp, fault := c.send(ctx, &r, at, false)
	if fault != nil {
		return failed(fault)
	}
	took := time.Since(began)
	answer.Drain(resp.Body)
	found := plugins.Inspection{Writable: allowsPut(resp.Header)}
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		found.Timed, found.Skew = true, date.Add(tick/2).Sub(began.Add(took/2))
	}
	return found, nil
}

// allowsPut reports what the Allow header says of PUT.
func allowsPut(h http.Header) plugins.Verdict {
	lines := h.Values("Allow")
	if len(lines) == 0 {
		return plugins.Undecided
	}
	for _, line := range lines {
		methods := strings.FieldsFunc(line, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' })
		if slices.Contains(methods, http.MethodPut) {
			return plugins.Yes
		}
	}
	return plugins.No
}
