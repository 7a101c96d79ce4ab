package frontend

import (
	"context"
	"errors"
	"io"
	"net/http"

	"canopy/federator"
	"canopy/federator/write"
	"canopy/frontend/transfer"
	"canopy/plugins"
)

// thirdParty answers a COPY between a path of the federation and another
// server, whose bytes Canopy moves itself.
func (x *exchange) thirdParty() error {
	if x.h.options.Transfers == nil {
		return &problem{status: http.StatusNotImplemented, sentence: "Files are not copied from or to other servers here."}
	}
	order, err := transfer.Parse(x.Request.Header)
	if err != nil {
		return transferring(err)
	}
	var t *transfer.Transfer
	if order.Mode == transfer.Pull {
		t, err = x.pull(order)
	} else {
		t, err = x.push(order)
	}
	if err != nil {
		return transferring(err)
	}
	x.expose()
	if err := t.Run(x); err != nil {
		// The last line of the answer has told the client.
		x.h.log.Info("a third-party copy failed", "request", x.ID, "path", x.path, "err", err)
	}
	return nil
}

// pull begins to store what another server has.
func (x *exchange) pull(order *transfer.Order) (*transfer.Transfer, error) {
	w, err := x.writer(Write)
	if err != nil {
		return nil, err
	}
	if err := x.place(nil, false); err != nil {
		return nil, err
	}
	touch, err := x.touch(x.path, false)
	if err == nil {
		err = x.unlocked(touch)
	}
	if err != nil {
		return nil, err
	}
	client := x.client
	return x.h.options.Transfers.Pull(x.Request.Context(), order, func(ctx context.Context, content io.Reader, size int64, _ []plugins.Digest) error {
		_, err := w.Put(ctx, x.path, content, write.File{Size: size, New: !order.Overwrite, Client: &client})
		return err
	})
}

// push begins to send a file to another server.
func (x *exchange) push(order *transfer.Order) (*transfer.Transfer, error) {
	if err := x.allow(Read, x.path); err != nil {
		return nil, err
	}
	if err := x.place(nil, false); err != nil {
		return nil, err
	}
	d, err := x.h.options.Federator.Locate(x.Request.Context(), x.path, federator.Best, &x.client)
	switch {
	case err != nil:
		return nil, err
	case d.Kind() != plugins.File:
		return nil, invalid("A directory is not copied to another server, only a file at a time.")
	case d.Size() < 0:
		return nil, &problem{status: http.StatusBadGateway, sentence: "The storage does not tell how large the file is."}
	}
	return x.h.options.Transfers.Push(x.Request.Context(), order, transfer.File{
		Size: d.Size(), Digests: d.Digests(),
		Open: func(ctx context.Context, offset int64) (io.ReadCloser, error) {
			return x.h.options.Federator.Open(ctx, d, 0, plugins.Range{Offset: offset, Length: -1})
		},
	})
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
