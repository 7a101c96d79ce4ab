package dav

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"canopy/plugins"
	"canopy/plugins/webclient"
	"canopy/plugins/wire/answer"
	"canopy/plugins/wire/property"
	"canopy/plugins/wire/propfind"
	"canopy/plugins/wire/proppatch"
)

// keeping is whether a storage keeps properties, as far as that is known.
type keeping = int32

const (
	asksFirst keeping = iota
	keepsSome
	keepsNone
)

// errKeepsNone is why nothing is asked about properties.
var errKeepsNone = errors.New("the storage does not take PROPPATCH, so it keeps no properties")

// keeps returns an error unless the storage takes PROPPATCH, which it is asked
// once, at its root: of a path that is not there some say other things. Apache
// takes it; nginx and XRootD do not. rclone takes it and keeps nothing.
func (e *endpoint) keeps(ctx context.Context, op, path string) error {
	known := e.keeping.Load()
	if known == asksFirst {
		resp, err := e.client.Do(ctx, webclient.Request{Op: op, Method: http.MethodOptions, Path: "/", Collection: true})
		switch {
		case plugins.KindOf(err) == plugins.Unsupported:
			known = keepsNone
		case err != nil:
			return plugins.Fail(op, path, err)
		default:
			resp.Body.Close()
			known = keepsNone
			rclone := strings.HasPrefix(resp.Header.Get("Server"), "rclone/")
			for method := range strings.SplitSeq(strings.Join(resp.Header["Allow"], ","), ",") {
				if strings.TrimSpace(method) == "PROPPATCH" && !rclone {
					known = keepsSome
				}
			}
		}
		e.keeping.Store(known)
	}
	if known == keepsNone {
		return e.fault(plugins.Unsupported, op, path, errKeepsNone)
	}
	return nil
}

// Properties asks by PROPFIND with depth 0.
func (e *endpoint) Properties(ctx context.Context, path string, names []xml.Name) ([]plugins.Property, error) {
	ctx, cancel := e.question(ctx)
	defer cancel()
	return e.properties(ctx, "properties", path, names)
}

func (e *endpoint) properties(ctx context.Context, op, path string, names []xml.Name) ([]plugins.Property, error) {
	if err := e.keeps(ctx, op, path); err != nil {
		return nil, err
	}
	ask := []byte(xmlHead + `<D:propfind xmlns:D="DAV:"><D:allprop/></D:propfind>`)
	if names != nil {
		// Without a name that all have, some answer nothing that says whether
		// the path is there.
		ask = []byte(xmlHead + `<D:propfind xmlns:D="DAV:"><D:prop><D:resourcetype/>`)
		for _, name := range names {
			ask = property.AppendName(ask, name)
		}
		ask = append(ask, "</D:prop></D:propfind>"...)
	}
	a, err := e.answer(ctx, path, webclient.Request{
		Op: op, Method: "PROPFIND", Path: path, Body: ask,
		Header: http.Header{"Depth": {"0"}, "Content-Type": {"application/xml; charset=utf-8"}, "Accept": {"application/xml, text/xml"}},
	})
	if err != nil {
		return nil, e.below(ctx, op, path, err)
	}
	var all []plugins.Property
	for _, s := range a.Stated {
		if s.Status/100 == 2 && propfind.Dead(s.Name) {
			all = append(all, s.Property)
		}
	}
	return plugins.ChooseProperties(all, names), nil
}

// below makes NotFound of an error that concerns a path below a file.
func (e *endpoint) below(ctx context.Context, op, path string, err error) error {
	switch status(err) {
	case http.StatusBadRequest, http.StatusConflict, http.StatusInternalServerError:
		if e.belowFile(ctx, path) {
			return e.fault(plugins.NotFound, op, path, err)
		}
	}
	return err
}

// SetProperties asks by PROPPATCH, which is all or nothing (RFC 4918 section
// 9.2). The bounds are kept here: the storage has others, or none.
func (e *endpoint) SetProperties(ctx context.Context, path string, set []plugins.Property, remove []xml.Name) error {
	ctx, cancel := e.question(ctx)
	defer cancel()
	const op = "proppatch"
	old, err := e.properties(ctx, op, path, nil)
	if err != nil {
		return err
	}
	if _, ok := plugins.AmendProperties(old, set, remove); !ok {
		return e.fault(plugins.Full, op, path, errors.New("these are more properties than are kept of one path"))
	}
	if len(set) == 0 && len(remove) == 0 {
		return nil // which a request cannot say
	}
	a, err := e.answer(ctx, path, webclient.Request{
		Op: op, Method: "PROPPATCH", Path: path, Body: proppatch.AppendUpdate(nil, set, remove),
		Header: http.Header{"Content-Type": {"application/xml; charset=utf-8"}},
	})
	if err != nil {
		return err
	}
	failed, never := 0, len(a.Stated) > 0
	for _, s := range a.Stated {
		never = never && s.Status == http.StatusForbidden
		// Those that would have been changed are told to depend on those that
		// could not.
		if s.Status/100 != 2 && (failed == 0 || failed == http.StatusFailedDependency) {
			failed = s.Status
		}
	}
	if never {
		// Who lacks the right is refused as a whole. These are properties that
		// the storage does not want, from anybody.
		return e.fault(plugins.Unsupported, op, path, errors.New("the storage does not keep such properties"))
	}
	return e.refusal(op, path, failed)
}

// answer asks a question about the properties of path, and returns what the
// storage says of it.
func (e *endpoint) answer(ctx context.Context, path string, r webclient.Request) (property.Answer, error) {
	var a property.Answer
	resp, err := e.client.Do(ctx, r)
	if err != nil {
		return a, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusMultiStatus {
		return a, e.fault(plugins.Malformed, r.Op, path, fmt.Errorf("the storage answered %d to %s", resp.StatusCode, r.Method))
	}
	document, err := io.ReadAll(io.LimitReader(resp.Body, property.MaxAnswer+1))
	if err != nil {
		return a, plugins.Fail(r.Op, path, err)
	}
	if len(document) > property.MaxAnswer {
		return a, e.fault(plugins.Malformed, r.Op, path, fmt.Errorf("the answer to %s is longer than %d bytes", r.Method, property.MaxAnswer))
	}
	if a, err = property.ReadAnswer(document); err != nil {
		return a, e.fault(plugins.Malformed, r.Op, path, fmt.Errorf("the answer to %s: %w", r.Method, err))
	}
	self, _ := webclient.Split(resp.Request.URL.EscapedPath())
	if at, ok := place(a.Href, self); !ok || len(at) > 0 {
		return a, e.astray(r.Op, path)
	}
	return a, e.refusal(r.Op, path, a.Status)
}

// refusal is the error for a status within an answer, nil for one that is none.
func (e *endpoint) refusal(op, path string, code int) error {
	if code/100 == 2 || code == 0 {
		return nil
	}
	kind := answer.Kind(code)
	if code == http.StatusInsufficientStorage {
		kind = plugins.Full
	}
	return e.fault(kind, op, path, fmt.Errorf("the storage answered %d within its answer", code))
}
