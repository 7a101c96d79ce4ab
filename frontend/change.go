package frontend

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"canopy/federator/write"
	"canopy/frontend/lock"
	"canopy/frontend/transfer"
	"canopy/plugins"
)

// remove answers DELETE, which is of a directory with all that is in it.
func (x *exchange) remove() error {
	w, err := x.writer(Delete)
	if err != nil {
		return err
	}
	if d := x.Request.Header.Get("Depth"); d != "" && !strings.EqualFold(d, "infinity") {
		return invalid("A directory is deleted with all that is in it: Depth must be infinity, or not there.")
	}
	if err := x.place(nil, false); err != nil {
		return err
	}
	if err := x.unlocked(lock.Touch{Path: x.path, Tree: true, Member: true}); err != nil {
		return err
	}
	may := func(path string) error { return x.allow(Delete, path) }
	if err := w.Remove(x.Request.Context(), x.path, &x.client, may, nil); err != nil {
		return x.partly(err)
	}
	x.released(x.path)
	return x.made(false)
}

// mkcol answers MKCOL.
func (x *exchange) mkcol() error {
	w, err := x.writer(Write)
	if err != nil {
		return err
	}
	if n, _ := io.ReadFull(x.Request.Body, make([]byte, 1)); n > 0 {
		// RFC 4918 section 9.3: there is no body that we understand.
		return &problem{status: http.StatusUnsupportedMediaType, sentence: "A directory is made without a body."}
	}
	if err := x.place(nil, false); err != nil {
		return err
	}
	if err := x.unlocked(lock.Touch{Path: x.path, Member: true}); err != nil {
		return err
	}
	err = w.MakeDirectory(x.Request.Context(), x.path, &x.client)
	if plugins.KindOf(err) == plugins.Exists {
		return &problem{status: http.StatusMethodNotAllowed, sentence: "Something of that name is there already.", allow: x.h.allowed(), cause: err}
	}
	if err != nil {
		return writing(err)
	}
	return x.made(true)
}

// move answers MOVE and COPY between two paths of the federation.
func (x *exchange) move() error {
	right := Delete
	if x.Request.Method == "COPY" {
		if transfer.Asked(x.Request.Header, x.Origin.Host) {
			return x.thirdParty()
		}
		right = Read
	}
	w, err := x.writer(right)
	if err != nil {
		return err
	}
	to, err := x.destination()
	if err != nil {
		return err
	}
	if err := x.allow(Write, to); err != nil {
		return err
	}
	if err := x.place(nil, false); err != nil {
		return err
	}
	in := x.Request.Header
	deep := true
	switch depth := in.Get("Depth"); {
	case depth == "" || strings.EqualFold(depth, "infinity"):
	case depth == "0" && x.Request.Method == "COPY":
		deep = false
	default:
		return invalid("This Depth is not possible with " + x.Request.Method + ".")
	}
	touch, err := x.touch(to, true)
	if err != nil {
		return err
	}
	touches := []lock.Touch{touch}
	if x.Request.Method == "MOVE" {
		touches = append(touches, lock.Touch{Path: x.path, Tree: true, Member: true})
	}
	if err := x.unlocked(touches...); err != nil {
		return err
	}
	may := func(path string) error { return x.allow(right, path) }
	var created bool
	if x.Request.Method == "COPY" {
		created, err = w.Copy(x.Request.Context(), x.path, to, overwrites(in), deep, &x.client, may)
	} else {
		created, err = w.Move(x.Request.Context(), x.path, to, overwrites(in), &x.client, may)
	}
	if err != nil {
		return x.partly(err)
	}
	if x.Request.Method == "MOVE" {
		x.released(x.path)
	}
	return x.made(created)
}

// destination returns the path that the Destination header names (RFC 4918
// section 10.3), which must be of this federation.
func (x *exchange) destination() (string, error) {
	lines := x.Request.Header["Destination"]
	if len(lines) != 1 {
		return "", invalid("One Destination is needed.")
	}
	u, err := url.Parse(lines[0])
	if err != nil || u.Opaque != "" || u.User != nil || !strings.HasPrefix(u.Path, "/") {
		return "", invalid("The Destination is neither a URL nor a path.")
	}
	if u.Host != "" && !strings.EqualFold(u.Host, x.Origin.Host) {
		return "", &problem{status: http.StatusBadGateway, sentence: "The Destination is another server."}
	}
	path, _, ok := cleanPath(u.Path)
	if !ok || reserved(path) {
		return "", invalid("The Destination is no path that a file can have.")
	}
	to, ok := x.h.within(path)
	if !ok {
		return "", &problem{status: http.StatusForbidden, sentence: "The Destination is outside of the federation's tree."}
	}
	return to, nil
}

// partly answers what could be done in part only with 207 (RFC 4918 section
// 9.6.1), naming what is left and where.
func (x *exchange) partly(err error) error {
	var failures write.Failures
	if !errors.As(err, &failures) {
		return writing(err)
	}
	b := []byte(xml.Header + `<D:multistatus xmlns:D="DAV:">`)
	for _, f := range failures {
		status := problemOf(f.Err).status
		said := f.Endpoint + ": " + plugins.KindOf(f.Err).String()
		if f.Pending {
			said += "; it is hidden, and will be done when the endpoint answers"
		}
		b = append(b, `<D:response><D:href>`...)
		b = appendText(b, x.h.href(f.Path, false))
		b = append(b, `</D:href><D:status>HTTP/1.1 `...)
		b = strconv.AppendInt(b, int64(status), 10)
		b = append(append(append(b, ' '), http.StatusText(status)...), `</D:status><D:responsedescription>`...)
		b = appendText(b, said)
		b = append(b, `</D:responsedescription></D:response>`...)
	}
	b = append(b, `</D:multistatus>`...)
	return x.sendMultistatus(b)
}

// sendMultistatus answers with a whole body of 207.
func (x *exchange) sendMultistatus(b []byte) error {
	x.expose()
	h := x.Header()
	h["Content-Type"] = []string{"application/xml; charset=utf-8"}
	h["Content-Length"] = []string{strconv.Itoa(len(b))}
	h["Cache-Control"] = uncached
	x.WriteHeader(http.StatusMultiStatus)
	if _, err := x.Write(b); err != nil {
		return errBroken
	}
	return nil
}

// appendText appends s as text of XML.
func appendText(b []byte, s string) []byte {
	var out bytes.Buffer
	_ = xml.EscapeText(&out, []byte(s)) // a buffer takes all
	return append(b, out.Bytes()...)
}
