package frontend

import (
	"errors"
	"io"
	"net/http"
	"strings"

	"canopy/federator"
	"canopy/federator/write"
	"canopy/plugins"
	"canopy/plugins/wire/digest"
)

// put answers PUT: the client is sent to the storage that takes the file, or
// its bytes are carried there.
func (x *exchange) put() error {
	w, err := x.writer(Write)
	if err != nil {
		return err
	}
	in := x.Request.Header
	switch {
	case x.slash:
		return &problem{status: http.StatusMethodNotAllowed, sentence: "A file's path does not end in a slash.", allow: x.h.allowed()}
	case len(in["Content-Range"]) > 0:
		// RFC 9110 section 14.5: a part must not be taken for the whole.
		return invalid("A part of a file cannot be stored: send it whole, without Content-Range.")
	}
	if err := x.place(nil, false); err != nil {
		return err
	}
	file := write.File{
		Size: x.Request.ContentLength, Digests: digest.FromHeader(in), Client: &x.client, Sender: x.sender(),
		New: isStar(in["If-None-Match"]) || !overwrites(in),
	}
	if len(in["If-Match"]) > 0 || len(in["If-Unmodified-Since"]) > 0 {
		file.Match = func(found *federator.Found) bool {
			v := validators(&found.Facts)
			return !v.Failed(in)
		}
	}
	touch, err := x.touch(x.path, false)
	if err == nil {
		err = x.unlocked(touch)
	}
	if err != nil {
		return err
	}
	if !x.mustTake() {
		t, carry, err := w.Redirect(x.Request.Context(), x.path, file)
		if err != nil {
			return writing(err)
		}
		if !carry {
			x.Endpoint = t.Endpoint
			return x.redirect(http.StatusTemporaryRedirect, urlOf(&federator.Placed{URL: t.URL}))
		}
	}
	stored, err := w.Put(x.Request.Context(), x.path, upload{x.Request.Body}, file)
	if err != nil {
		return writing(err)
	}
	x.Endpoint, x.Proxied = stored.Endpoint, true
	return x.made(!stored.Replaced)
}

// upload is the body of a request, whose errors are those of the client.
type upload struct{ io.Reader }

func (u upload) Read(p []byte) (int, error) {
	n, err := u.Reader.Read(p)
	if err != nil && err != io.EOF {
		err = &broken{err}
	}
	return n, err
}

// broken is that the client did not send what it was to send.
type broken struct{ error }

func (b *broken) Unwrap() error { return b.error }

// mustTake reports whether the bytes of an upload are to come here: the client
// follows no redirect, or has not waited to be told where to send them, or
// would send its credential where that does harm.
func (x *exchange) mustTake() bool {
	r := x.Request
	switch {
	case x.h.agents.Carried(r.UserAgent(), http.MethodPut):
		return true
	case r.ProtoMajor >= 2:
		return true // without Expect, the stream would be reset while it sends
	case !strings.EqualFold(r.Header.Get("Expect"), "100-continue"):
		return r.ContentLength != 0
	}
	return len(r.Header["Authorization"]) > 0 && x.Origin.Secure && x.grid()
}

// made says that something is there now that was not, or is another.
func (x *exchange) made(created bool) error {
	x.expose()
	x.Header()["Cache-Control"] = uncached
	if created {
		x.Header()["Content-Length"] = []string{"0"}
		x.WriteHeader(http.StatusCreated)
	} else {
		x.WriteHeader(http.StatusNoContent)
	}
	return nil
}

// writer returns who changes the federation, for a user who has the right to
// do so at the path.
func (x *exchange) writer(right Right) (*write.Writer, error) {
	if x.h.options.Writer == nil {
		return nil, x.refuse()
	}
	if err := x.allow(right, x.path); err != nil {
		return nil, err
	}
	return x.h.options.Writer, nil
}

// isStar reports whether the lines of a header are "*".
func isStar(lines []string) bool { return len(lines) == 1 && strings.TrimSpace(lines[0]) == "*" }

// overwrites reports whether what is there may be replaced (RFC 4918 section
// 10.6), which is so unless the client says otherwise.
func overwrites(h http.Header) bool {
	return !strings.EqualFold(strings.TrimSpace(h.Get("Overwrite")), "F")
}

// writing returns what an error comes to that kept a path from being changed.
func writing(err error) error {
	var readOnly *write.ReadOnly
	var failures write.Failures
	if errors.As(err, &failures) {
		return err
	}
	switch {
	case errors.As(err, &readOnly) && readOnly.Endpoint != "":
		return &problem{status: http.StatusForbidden, sentence: "This is on an endpoint to which nothing is written: " + readOnly.Endpoint + ".", cause: err}
	case errors.As(err, &readOnly):
		return &problem{status: http.StatusForbidden, sentence: "Nothing can be written here.", cause: err}
	case errors.Is(err, write.ErrChecksum):
		return &problem{status: http.StatusBadRequest, sentence: "The bytes that came do not have the checksum that was stated. Nothing was stored.", cause: err}
	case errors.As(err, new(*broken)):
		return &problem{status: http.StatusBadRequest, sentence: "The body ended too soon. Nothing was stored.", cause: err}
	}
	var e *plugins.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Kind {
	case plugins.IsDirectory:
		return &problem{status: http.StatusMethodNotAllowed, sentence: "There is a directory of that name.", allow: "OPTIONS, GET, HEAD, PROPFIND, DELETE, MOVE, COPY", cause: err}
	case plugins.NoParent:
		return &problem{status: http.StatusConflict, sentence: "The directory in which this would be does not exist; make it first.", cause: err}
	case plugins.Exists:
		return &problem{status: http.StatusPreconditionFailed, sentence: "Something of that name is there already.", cause: err}
	case plugins.Changed:
		return &problem{status: http.StatusPreconditionFailed, cause: err}
	case plugins.Full:
		return &problem{status: http.StatusInsufficientStorage, sentence: "No endpoint has room for this.", cause: err}
	case plugins.Invalid:
		return &problem{status: http.StatusForbidden, sentence: "This cannot be done: " + e.Error() + ".", cause: err}
	}
	return err
}
