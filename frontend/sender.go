package frontend

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"path"
	"strconv"

	"canopy/federator"
	"canopy/frontend/mediatype"
	"canopy/plugins"
)

// sender tells who sends a file from others, on all front ends; "" is somebody of whom
// nothing is known.
func (x *exchange) sender() string {
	if !x.Origin.Addr.IsValid() && x.User.Name == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(x.Origin.Addr.String() + "\x00" + x.User.Name))
	return hex.EncodeToString(sum[:16])
}

// sent returns what has come so far of a file that the client itself is sending to a
// storage, after a lookup has failed with err since nobody is to see that. davix, and so
// gfal2, asks for what it has sent before it deletes it, when it could not send all.
func (x *exchange) sent(err error) (federator.Found, error) {
	var absent *federator.Absent
	var unknown *federator.Unknown
	w := x.h.options.Writer
	if w == nil || !errors.As(err, &absent) && !errors.As(err, &unknown) || !w.Sends(x.sender(), x.path) {
		return federator.Found{}, err
	}
	return x.h.options.Federator.Ask(x.Request.Context(), x.path, &x.client)
}

// headSent answers HEAD of that, with what there is to be known of it.
func (x *exchange) headSent(err error) error {
	found, err := x.sent(err)
	switch {
	case err != nil:
		return err
	case found.Kind() == plugins.Directory:
		return x.addSlash()
	}
	h := x.Header()
	validators(&found.Facts).Set(h)
	mediatype.Set(h, path.Base(x.path))
	h["Cache-Control"] = uncached
	if size := found.Size(); size >= 0 {
		h["Content-Length"] = []string{strconv.FormatInt(size, 10)}
	}
	x.WriteHeader(http.StatusOK)
	return nil
}
