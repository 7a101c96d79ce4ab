package frontend

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"canopy/federator"
	"canopy/federator/write"
	"canopy/frontend/transfer"
	"canopy/plugins"
)

// thirdParty answers a COPY between a path of the federation and another
// server: the client is sent to a storage that makes such copies, or Canopy
// moves the bytes itself.
func (x *exchange) thirdParty() error {
	if x.h.options.Transfers == nil {
		return &problem{status: http.StatusNotImplemented, sentence: "Files are not copied from or to other servers here."}
	}
	order, err := transfer.Parse(x.Request.Header)
	if err != nil {
		return transferring(err)
	}
	begin := x.push
	if order.Mode == transfer.Pull {
		begin = x.pull
	}
	t, to, err := begin(order)
	switch {
	case err != nil:
		return transferring(err)
	case to != "":
		return x.redirect(http.StatusTemporaryRedirect, urlOf(&federator.Placed{URL: to}))
	}
	x.expose()
	if err := t.Run(x); err != nil {
		// The last line of the answer has told the client.
		x.h.log.Info("a third-party copy failed", "request", x.ID, "path", x.path, "err", err)
	}
	return nil
}

// pull begins to store what another server has, or finds out to where the client
// is to be sent for it.
func (x *exchange) pull(order *transfer.Order) (t *transfer.Transfer, to string, err error) {
	w, err := x.writer(Write)
	if err != nil {
		return nil, "", err
	}
	if err := x.place(nil, false); err != nil {
		return nil, "", err
	}
	touch, err := x.touch(x.path, false)
	if err == nil {
		err = x.unlocked(touch)
	}
	if err != nil {
		return nil, "", err
	}
	client := x.client
	file := write.File{Size: -1, New: !order.Overwrite, Client: &client, Sender: x.sender(), Pull: true, Harms: x.harmed}
	if x.h.agents.FollowsCopy(x.Request.UserAgent()) {
		// What the storage has of the file before that is a part, which nobody is to see.
		file.Size = x.h.options.Transfers.Size(x.Request.Context(), order)
		target, carry, err := w.Redirect(x.Request.Context(), x.path, file)
		if err != nil || !carry {
			x.Endpoint = target.Endpoint
			return nil, target.URL, err
		}
	}
	t, err = x.h.options.Transfers.Pull(x.Request.Context(), order, func(ctx context.Context, content io.Reader, size int64, _ []plugins.Digest) error {
		file.Size = size
		_, err := w.Put(ctx, x.path, content, file)
		return err
	})
	x.Proxied = true
	return t, "", err
}

// push begins to send a file to another server, or finds out to where the client
// is to be sent for it.
func (x *exchange) push(order *transfer.Order) (t *transfer.Transfer, to string, err error) {
	if err := x.allow(Read, x.path); err != nil {
		return nil, "", err
	}
	if err := x.place(nil, false); err != nil {
		return nil, "", err
	}
	d, err := x.h.options.Federator.Locate(x.Request.Context(), x.path, federator.Best, &x.client)
	switch {
	case err != nil:
		return nil, "", err
	case d.Kind() != plugins.File:
		return nil, "", invalid("A directory is not copied to another server, only a file at a time.")
	}
	if x.h.agents.FollowsCopy(x.Request.UserAgent()) {
		if to := x.pusher(d); to != "" {
			return nil, to, nil
		}
	}
	if d.Size() < 0 {
		return nil, "", &problem{status: http.StatusBadGateway, sentence: "The storage does not tell how large the file is."}
	}
	x.Proxied = true
	t, err = x.h.options.Transfers.Push(x.Request.Context(), order, transfer.File{
		Size: d.Size(), Digests: x.stated(d),
		Open: func(ctx context.Context, offset int64) (io.ReadCloser, error) {
			return x.h.options.Federator.Open(ctx, d, 0, plugins.Range{Offset: offset, Length: -1})
		},
	})
	return t, "", err
}

// statedTime is how long is waited for a storage to tell the checksum of a file
// that is pushed; it may have to read the file for that.
const statedTime = 5 * time.Second

// stated returns what a file's storage says its checksum is, so that what it
// delivers can be compared.
func (x *exchange) stated(d *federator.Decision) []plugins.Digest {
	if known := d.Digests(); len(known) > 0 {
		return known
	}
	ctx, cancel := context.WithTimeout(x.Request.Context(), statedTime)
	defer cancel()
	sum, err := x.h.options.Federator.Digest(ctx, d, "adler32")
	if err != nil {
		return nil // it can be compared with what arrives, at least
	}
	return []plugins.Digest{sum}
}

// pusher returns where the client is to ask for a file to be sent to another
// server: at the first replica whose storage does that. "" is that there is
// none.
func (x *exchange) pusher(d *federator.Decision) string {
	s := x.h.options.Federator.Enter()
	defer s.Leave()
	can := make(map[string]*federator.Storage)
	for _, st := range s.Storages(x.path) {
		if c := st.Abilities().Copier; c != nil && c.Copies(plugins.Push) && st.Redirects() {
			can[st.Name()] = st
		}
	}
	if len(can) == 0 {
		return ""
	}
	for _, at := range order(d, d.Deal()) {
		st := can[d.Replicas[at].Endpoint]
		if st == nil {
			continue
		}
		r, holds := d.By(st.ID())
		if !holds || int(r.Via) >= len(st.Own()) {
			continue
		}
		if l, err := st.Abilities().Locator.Locate(st.Own()[r.Via], "COPY"); err == nil && !x.harmed(l.URL) {
			x.Endpoint = st.Name()
			return l.URL
		}
	}
	return ""
}

// harmed reports whether a client that follows a COPY to that address would give
// away what only the servers concerned may know: it sends all of its header
// there, with the credential for the other party.
func (x *exchange) harmed(to string) bool {
	return x.Origin.Secure && strings.HasPrefix(to, "http://") || len(x.Request.Header["Authorization"]) > 0 && signed(to)
}

// transferring returns what an error comes to that kept a transfer from
// beginning.
func transferring(err error) error {
	var refused *transfer.Refusal
	if !errors.As(err, &refused) {
		return writing(err)
	}
	p := &problem{status: refused.Status, sentence: refused.Sentence, cause: refused.Err}
	if p.status == http.StatusServiceUnavailable {
		p.retry = soon
	}
	return p
}
