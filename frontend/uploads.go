package frontend

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"

	"canopy/federator/write"
	"canopy/frontend/resume"
	"canopy/plugins"
)

// uploads answers what concerns resumable uploads.
func (x *exchange) uploads() error {
	u, id := x.h.options.Uploads, chi.URLParam(x.Request, "id")
	if x.Request.Method == http.MethodOptions {
		u.Describe(x.Header())
		return x.permit(resume.Methods(id))
	}
	if err := x.place(nil, false); err != nil {
		return err
	}
	x.expose()
	err := u.Serve(x, x.Request, id, uploader{x})
	var refusal *resume.Refusal
	if !errors.As(err, &refusal) {
		return err
	}
	p := &problem{status: refusal.Status, sentence: refusal.Sentence, cause: refusal.Err}
	if p.status == http.StatusServiceUnavailable {
		p.retry = soon
	}
	return p
}

// uploader is the sender of a request about a resumable upload.
type uploader struct{ x *exchange }

var _ resume.Requester = uploader{}

// Path implements resume.Requester. The path is that of a URL, decoded.
func (u uploader) Path(text string) (string, error) {
	clean, slash, ok := cleanPath(text)
	switch {
	case !ok || slash || reserved(clean):
		return "", invalid("The path is none that a file can have.")
	case strings.Contains(clean+"/", "/"+plugins.Staging+"/"):
		return "", &problem{status: http.StatusForbidden, sentence: "That name is not for files."}
	}
	path, ok := u.x.h.within(clean)
	if !ok {
		return "", &problem{status: http.StatusForbidden, sentence: "The path is outside of the federation's tree."}
	}
	u.x.path = path
	return path, nil
}

// May implements resume.Requester.
func (u uploader) May(path string) error {
	if u.x.h.options.Writer == nil {
		return u.x.refuse()
	}
	return u.x.allow(Write, path)
}

// Check implements resume.Requester.
func (u uploader) Check(ctx context.Context, path string, f write.File) error {
	if err := u.unlocked(path); err != nil {
		return err
	}
	f.Client = &u.x.client
	if err := u.x.h.options.Writer.Check(ctx, path, f); err != nil {
		return writing(err)
	}
	return nil
}

func (u uploader) unlocked(path string) error {
	touch, err := u.x.touch(path, false)
	if err != nil {
		return err
	}
	return u.x.unlocked(touch)
}

// Store implements resume.Requester.
func (u uploader) Store(ctx context.Context, path string, content io.Reader, f write.File) (http.Header, error) {
	if err := u.unlocked(path); err != nil {
		return nil, err
	}
	f.Client = &u.x.client
	stored, err := u.x.h.options.Writer.Put(ctx, path, content, f)
	if err != nil {
		return nil, writing(err)
	}
	u.x.Endpoint, u.x.Proxied = stored.Endpoint, true
	told := http.Header{"Location": {u.x.h.href(path, false)}}
	if tag, err := u.x.tagOf(path); err == nil && tag != "" {
		told["Etag"] = []string{tag}
	}
	return told, nil
}
