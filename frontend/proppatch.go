package frontend

import (
	"context"
	"encoding/xml"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"canopy/federator"
	"canopy/frontend/lock"
	"canopy/plugins"
	"canopy/plugins/wire/propfind"
	"canopy/plugins/wire/proppatch"
)

// proppatch answers PROPPATCH (RFC 4918 section 9.2): the properties are set on
// every endpoint that has the path and keeps any, on all or on none.
func (x *exchange) proppatch() error {
	w, err := x.writer(Write)
	if err != nil {
		return err
	}
	update, err := proppatch.Parse(x.Request.Body)
	switch {
	case err == nil:
	case plugins.KindOf(err) != plugins.Invalid:
		return err
	case errors.Is(err, proppatch.ErrTooLarge):
		return &problem{status: http.StatusRequestEntityTooLarge, sentence: "The body of a PROPPATCH has at most " + strconv.Itoa(proppatch.MaxBody) + " bytes.", cause: err}
	default:
		return &problem{status: http.StatusBadRequest, sentence: "The body of a PROPPATCH is an XML document with the propertyupdate element of RFC 4918.", cause: err}
	}
	if err := x.place(nil, false); err != nil {
		return err
	}
	if err := x.unlocked(lock.Touch{Path: x.path}); err != nil {
		return err
	}
	var found federator.Found
	var outcomes []proppatch.Outcome
	err = w.Amend(x.Request.Context(), x.path, func() (err error) {
		found, outcomes, err = x.amend(update)
		return err
	})
	if err != nil {
		return err
	}
	href := x.h.href(x.path, found.Kind() == plugins.Directory)
	return x.sendMultistatus(proppatch.AppendAnswer(nil, href, outcomes...))
}

// amend does what a client asks for, and returns what became of it. An error
// means that nothing was done.
func (x *exchange) amend(update proppatch.Update) (federator.Found, []proppatch.Outcome, error) {
	found, err := x.h.options.Federator.Lookup(x.Request.Context(), x.path, federator.All, &x.client)
	if err != nil {
		return found, nil, err
	}
	var protected, rest []xml.Name
	for _, name := range update.Names() {
		if propfind.Dead(name) {
			rest = append(rest, name)
		} else {
			protected = append(protected, name)
		}
	}
	if len(protected) > 0 {
		return found, []proppatch.Outcome{
			{Names: protected, Status: http.StatusForbidden, Error: "<D:cannot-modify-protected-property/>"},
			{Names: rest, Status: http.StatusFailedDependency},
		}, nil
	}
	s := x.h.options.Federator.Enter()
	defer s.Leave()
	// On endpoints to which nothing is written the properties stay what they
	// are: they are not told of as long as there are others.
	all, _ := keepers(s, x.path, &found.Facts)
	var down []string
	for _, k := range all {
		if k.Down() {
			down = append(down, k.Name())
		}
	}
	if len(down) > 0 {
		return found, nil, &federator.Unknown{Path: x.path, Missing: down, RetryAfter: soon}
	}
	a := amendment{x: x, names: rest}
	a.set, a.remove = update.Effect()
	err = a.run(x.Request.Context(), all)
	if err != nil {
		x.h.log.Info("properties could not be set", "request", x.ID, "path", x.path, "err", err)
	}
	return found, []proppatch.Outcome{{Names: rest, Status: statusOfProperty(plugins.KindOf(err))}}, nil
}

// statusOfProperty is what a kind of error comes to for a property that was to
// be set.
func statusOfProperty(k plugins.Kind) int {
	switch k {
	case 0:
		return http.StatusOK
	case plugins.Denied, plugins.Unsupported:
		return http.StatusForbidden
	case plugins.NotFound, plugins.Invalid:
		return http.StatusConflict
	case plugins.Canceled:
		return http.StatusServiceUnavailable
	}
	return statusOf(k)
}

// amendment is one change of the properties of a path.
type amendment struct {
	x      *exchange
	names  []xml.Name
	set    []plugins.Property
	remove []xml.Name
}

// changed is an endpoint on which properties have been set, with those of the
// same names that were there before.
type changed struct {
	keeper
	before []plugins.Property
}

// run sets the properties on one endpoint after the other, and back again if one
// fails. Endpoints that turn out to keep none are passed over, unless all do.
func (a *amendment) run(ctx context.Context, all []keeper) error {
	failure := error(&plugins.Error{Kind: plugins.Unsupported, Op: "proppatch", Path: a.x.path})
	var done []changed
	for _, k := range all {
		before, err := k.properties(ctx, a.names)
		if err == nil {
			err = k.put(ctx, a.set, a.remove)
		}
		if plugins.KindOf(err) == plugins.Unsupported {
			failure = err
			continue
		}
		if err == nil || plugins.KindOf(err).Silent() || ctx.Err() != nil {
			// Without an answer it may have been done all the same.
			done = append(done, changed{k, before})
		}
		if err != nil {
			a.undo(ctx, done)
			return err
		}
	}
	if len(done) == 0 {
		return failure
	}
	return nil
}

// undo gives endpoints the properties back that were there before.
func (a *amendment) undo(ctx context.Context, done []changed) {
	ctx = context.WithoutCancel(ctx)
	for _, c := range done {
		var remove []xml.Name
		for _, name := range a.names {
			if !slices.ContainsFunc(c.before, func(p plugins.Property) bool { return p.Name == name }) {
				remove = append(remove, name)
			}
		}
		if err := c.put(ctx, c.before, remove); err != nil {
			a.x.h.log.Warn("properties differ now between endpoints", "request", a.x.ID, "endpoint", c.Name(), "path", a.x.path, "err", err)
		}
	}
}

// put sets and removes properties.
func (k *keeper) put(ctx context.Context, set []plugins.Property, remove []xml.Name) error {
	ctx, stop := context.WithTimeout(ctx, amendTime)
	defer stop()
	began := time.Now()
	err := k.SetProperties(ctx, k.own, set, remove)
	k.Asked("proppatch", err, began)
	return err
}

// amendTime bounds a change of properties on one endpoint.
const amendTime = 10 * time.Second
