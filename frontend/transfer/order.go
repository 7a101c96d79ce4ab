package transfer

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// Mode is which party has the file.
type Mode uint8

// The modes.
const (
	// Pull has the file fetched from the other party.
	Pull Mode = iota + 1
	// Push has it sent there.
	Push
)

// String returns "pull" or "push".
func (m Mode) String() string {
	switch m {
	case Pull:
		return "pull"
	case Push:
		return "push"
	}
	return "none"
}

// Order is what a client asks for. What it has for the other party alone does
// not show when it is printed.
type Order struct {
	Mode Mode
	// Remote is the other party's URL, of scheme http or https. Its query may
	// hold a signature: log Host instead.
	Remote *url.URL
	// Checksum is that a copy which cannot be verified is a failure
	// (RequireChecksumVerification). One that can be is verified anyway.
	Checksum bool
	// Overwrite is that a file which is there may be replaced.
	Overwrite bool
	// Streams is how many connections the client would like, 0 if it did not
	// say.
	Streams int
	// SciTag is the flow identifier for the accounting of networks, 0 if there
	// is none.
	SciTag uint16
	// Secure is that no party may be redirected from https to http
	// (Secure-Redirection).
	Secure bool
	// header is for the other party alone.
	header http.Header
}

// String returns mode and host.
func (o Order) String() string { return o.Mode.String() + " " + o.Remote.Host }

// GoString implements fmt.GoStringer.
func (o Order) GoString() string { return o.String() }

// LogValue implements slog.LogValuer.
func (o Order) LogValue() slog.Value { return slog.StringValue(o.String()) }

// Host returns the other party's host and port, for the log.
func (o *Order) Host() string { return o.Remote.Host }

const (
	maxURL     = 8 << 10
	maxHeaders = 32
	maxSecret  = 32 << 10 // bytes of names and values
	maxStreams = 16
	forOther   = "Transferheader" // as net/http spells it
)

// marks are headers that make a COPY with a Destination one of HTTP-TPC.
var marks = []string{"Credential", "Requirechecksumverification", "X-Number-Of-Streams", "X-No-Delegate", "Secure-Redirection", "Scitag", "Copy-Flags"}

// Asked reports whether a COPY is a third-party copy, and not one between two
// paths of this server, whose name and port is host (RFC 4918 section 9.8). A
// Destination here is legal in both, so the headers that only HTTP-TPC has
// tell them apart.
func Asked(h http.Header, host string) bool {
	if len(h["Source"]) > 0 {
		return true
	}
	if len(h["Destination"]) == 0 {
		return false
	}
	for name := range h {
		if strings.HasPrefix(name, forOther) || slices.Contains(marks, name) {
			return true
		}
	}
	u, err := url.Parse(h["Destination"][0])
	return err == nil && u.Host != "" && !strings.EqualFold(u.Host, host)
}

// Parse reads the order in the header of a COPY that Asked is true for. The
// error is a *Refusal.
func Parse(h http.Header) (*Order, error) {
	o := &Order{Mode: Pull, Overwrite: true}
	lines := h["Source"]
	if len(lines) == 0 {
		o.Mode, lines = Push, h["Destination"]
	} else if len(h["Destination"]) > 0 {
		return nil, bad("Source and Destination exclude each other.")
	}
	if len(lines) != 1 {
		return nil, bad("One Source or one Destination is needed.")
	}
	if err := credential(h["Credential"]); err != nil {
		return nil, err
	}
	var err error
	if o.Remote, err = remote(lines[0]); err != nil {
		return nil, bad("The other party's URL cannot be used: " + err.Error() + ".")
	}
	if o.header, err = others(h); err != nil {
		return nil, bad("What is meant for the other party cannot be sent: " + err.Error() + ".")
	}
	ok := true
	o.Checksum = flag(h, "Requirechecksumverification", "true", "false", false, &ok)
	o.Overwrite = flag(h, "Overwrite", "t", "f", true, &ok)
	o.Secure = flag(h, "Secure-Redirection", "1", "0", false, &ok)
	o.Streams = min(number(h, "X-Number-Of-Streams", 1<<20, &ok), maxStreams)
	o.SciTag = uint16(number(h, "Scitag", 1<<16-1, &ok))
	if !ok {
		return nil, bad("RequireChecksumVerification is true or false, Overwrite T or F, Secure-Redirection 1 or 0, X-Number-Of-Streams a number, SciTag a number up to 65535.")
	}
	return o, nil
}

// bad is a request that makes no sense.
func bad(sentence string) *Refusal {
	return &Refusal{Status: http.StatusBadRequest, Sentence: sentence}
}

// credential refuses to be given a credential by delegation.
func credential(lines []string) error {
	for _, l := range lines {
		switch strings.ToLower(strings.TrimSpace(l)) {
		case "none":
		case "gridsite", "oidc":
			return &Refusal{
				Status:   http.StatusNotImplemented,
				Sentence: "Credentials are not delegated: send Credential: none, and a token for the other party as TransferHeaderAuthorization.",
			}
		default:
			return bad("This Credential is not known; it must be none.")
		}
	}
	return nil
}

// remote reads the URL of the other party.
func remote(text string) (*url.URL, error) {
	if len(text) > maxURL {
		return nil, fmt.Errorf("it is longer than %d bytes", maxURL)
	}
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil {
		return nil, errors.New("it is no URL") // the cause quotes it
	}
	switch strings.ToLower(u.Scheme) {
	case "http", "dav":
		u.Scheme = "http"
	case "https", "davs":
		u.Scheme = "https"
	default:
		return nil, errors.New("its scheme is none of http, https, dav and davs")
	}
	switch {
	case u.User != nil:
		return nil, errors.New("it holds a user; send TransferHeaderAuthorization")
	case u.Opaque != "" || u.Hostname() == "":
		return nil, errors.New("it names no host")
	case strings.HasSuffix(u.Path, "/") || u.Path == "":
		return nil, errors.New("it names no file")
	}
	if p := u.Port(); p != "" {
		if n, err := strconv.ParseUint(p, 10, 16); err != nil || n == 0 {
			return nil, errors.New("its port is none")
		}
	}
	if a, err := netip.ParseAddr(u.Hostname()); err == nil && a.Zone() != "" {
		return nil, errors.New("its address has a zone")
	}
	u.Fragment, u.RawFragment = "", ""
	return u, nil
}

// ours are headers that whoever moves the bytes decides about, or that belong
// to one connection (RFC 9110 section 7.6.1).
var ours = []string{
	"Connection", "Proxy-Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
	"Proxy-Authenticate", "Proxy-Authorization", "Http2-Settings",
	"Host", "Content-Length", "Content-Range", "Content-Encoding", "Accept-Encoding", "Expect", "Range", "If-Range",
	"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "X-Idempotency-Key",
}

// others reads what is meant for the other party.
func others(h http.Header) (http.Header, error) {
	out := make(http.Header)
	size := 0
	for name, values := range h {
		if !strings.HasPrefix(name, forOther) {
			continue
		}
		name = http.CanonicalHeaderKey(name[len(forOther):])
		if !httpguts.ValidHeaderFieldName(name) {
			return nil, errors.New("a TransferHeader has no name after it, or none that a header can have")
		}
		if slices.Contains(ours, name) || strings.HasPrefix(name, forOther) {
			return nil, errors.New("TransferHeader" + name + " is not for the client to say")
		}
		for _, v := range values {
			if !httpguts.ValidHeaderFieldValue(v) {
				return nil, errors.New("TransferHeader" + name + " holds a byte that no header can")
			}
			size += len(name) + len(v)
		}
		if name == "Authorization" && len(values) != 1 {
			return nil, errors.New("there can be one TransferHeaderAuthorization")
		}
		out[name] = values
		if len(out) > maxHeaders || size > maxSecret {
			return nil, errors.New("there are too many TransferHeaders, or they are too long")
		}
	}
	return out, nil
}

// flag reads a header of two values; without it, usual is returned.
func flag(h http.Header, name, yes, no string, usual bool, ok *bool) bool {
	lines := h[name]
	if len(lines) == 0 {
		return usual
	}
	v := strings.ToLower(strings.TrimSpace(lines[0]))
	*ok = *ok && len(lines) == 1 && (v == yes || v == no)
	return v == yes
}

// number reads a header that is a number up to most, 0 without it.
func number(h http.Header, name string, most int, ok *bool) int {
	lines := h[name]
	if len(lines) == 0 {
		return 0
	}
	n, err := strconv.ParseUint(strings.TrimSpace(lines[0]), 10, 31)
	*ok = *ok && len(lines) == 1 && err == nil && int(n) <= most
	return int(n)
}
