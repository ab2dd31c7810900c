//! What Azure Storage says, in words that help.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
    UploadPart,
};

use super::NoLogin;

/// A container whose errors say what to do about them.
#[derive(Debug)]
pub(super) struct Explained {
    inner: Arc<dyn ObjectStore>,
    container: Arc<Names>,
}

#[derive(Debug)]
struct Names {
    account: String,
    container: String,
}

/// What to do about what the storage said. That itself, some lines of XML, is in the log at level `debug`.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Advice(String);

impl Explained {
    pub(super) fn new(inner: Arc<dyn ObjectStore>, account: String, container: String) -> Self {
        Self {
            inner,
            container: Arc::new(Names { account, container }),
        }
    }
}

impl Names {
    /// An error of a call that reads: nothing there is an answer.
    fn read(&self, error: Error) -> Error {
        match &error {
            Error::NotFound { .. } if !said(&error).contains("ContainerNotFound") => error,
            _ => self.explained(error),
        }
    }

    fn explained(&self, error: Error) -> Error {
        let said = said(&error);
        let Some(advice) = self.advice(&error, &said) else {
            return error;
        };
        tracing::debug!(said, "{advice}");
        let (permission, path) = match &error {
            Error::PermissionDenied { path, .. } => (true, path.clone()),
            _ => (false, String::new()),
        };
        let code = said
            .split_once("<Code>")
            .and_then(|(_, rest)| rest.split_once("</Code>"));
        let code = code
            .map(|(code, _)| format!(" ({code})"))
            .unwrap_or_default();
        let source = Box::new(Advice(format!("{advice}{code}")));
        if permission {
            Error::PermissionDenied { path, source }
        } else {
            Error::Generic {
                store: "Azure Storage",
                source,
            }
        }
    }

    fn advice(&self, error: &Error, said: &str) -> Option<String> {
        let Self { account, container } = self;
        let is = |code: &str| said.contains(code);
        if let Some(NoLogin(why)) = no_login(error) {
            return Some(format!(
                "there is no login for the account `{account}`: {why}"
            ));
        }
        Some(match error {
            // Whatever is written makes its own way: only its container can be missing. A listing has another kind of error.
            _ if matches!(error, Error::NotFound { .. }) || is("ContainerNotFound") => format!(
                "the account `{account}` has no container `{container}`; make it (`az storage container create --account-name {account} --name {container}`), or correct `file_system`"
            ),
            // "Audience validation failed" of Azure, "Invalid token audience" of Azurite.
            _ if is("AuthenticationFailed") && (is("Audience") || is("token audience")) => format!(
                "the account `{account}` does not take the login's token, which was given out for another service; whatever gives out tokens here has to give one for https://storage.azure.com when it is asked for that"
            ),
            _ if is("Lifetime validation failed") => format!(
                "the account `{account}` does not take the login's token: it has expired or is not valid yet; look at this machine's clock"
            ),
            _ if is("AuthenticationFailed") || is("failed to authenticate") => format!(
                "the account `{account}` does not take the credential: it is wrong, was changed or has expired, or this machine's clock is wrong"
            ),
            _ if is("AuthorizationPermissionMismatch") || is("AuthorizationFailure") => format!(
                "the login may not do that in `{account}/{container}`; it needs the role Storage Blob Data Contributor there, and the account's firewall has to let this machine in"
            ),
            Error::PermissionDenied { .. } => format!(
                "the account `{account}` refuses the login; it needs the role Storage Blob Data Contributor on `{container}`, or another credential"
            ),
            Error::Unauthenticated { .. } => {
                format!("the account `{account}` does not take the login")
            }
            _ if is("dns error") || is("failed to lookup") => format!(
                "there is no storage account `{account}`, or its name can't be looked up from here"
            ),
            _ => return None,
        })
    }
}

fn no_login(error: &Error) -> Option<&NoLogin> {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        cause = error.source();
    }
    None
}

/// All that an error and its causes say.
fn said(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for Explained {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        let put = self.inner.put_opts(location, payload, opts).await;
        put.map_err(|e| self.container.explained_unless_lost(e))
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let upload = self.inner.put_multipart_opts(location, opts).await;
        let inner = upload.map_err(|e| self.container.explained(e))?;
        Ok(Box::new(ExplainedUpload {
            inner,
            container: Arc::clone(&self.container),
        }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let got = self.inner.get_opts(location, options).await;
        got.map_err(|e| self.container.read(e))
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let got = self.inner.get_ranges(location, ranges).await;
        got.map_err(|e| self.container.read(e))
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let container = Arc::clone(&self.container);
        let deleted = self.inner.delete_stream(locations);
        deleted
            .map(move |it| it.map_err(|e| container.read(e)))
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let container = Arc::clone(&self.container);
        let listed = self.inner.list(prefix);
        listed
            .map(move |it| it.map_err(|e| container.explained(e)))
            .boxed()
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let container = Arc::clone(&self.container);
        let listed = self.inner.list_with_offset(prefix, offset);
        listed
            .map(move |it| it.map_err(|e| container.explained(e)))
            .boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let listed = self.inner.list_with_delimiter(prefix).await;
        listed.map_err(|e| self.container.explained(e))
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let copied = self.inner.copy_opts(from, to, options).await;
        copied.map_err(|e| self.container.read(e))
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        let renamed = self.inner.rename_opts(from, to, options).await;
        renamed.map_err(|e| self.container.read(e))
    }
}

impl Names {
    /// That somebody was first, or that something has changed, is an answer.
    fn explained_unless_lost(&self, error: Error) -> Error {
        match error {
            Error::AlreadyExists { .. } | Error::Precondition { .. } => error,
            error => self.explained(error),
        }
    }
}

#[derive(Debug)]
struct ExplainedUpload {
    inner: Box<dyn MultipartUpload>,
    container: Arc<Names>,
}

#[async_trait]
impl MultipartUpload for ExplainedUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let container = Arc::clone(&self.container);
        let part = self.inner.put_part(data);
        Box::pin(async move { part.await.map_err(|e| container.explained(e)) })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let done = self.inner.complete().await;
        done.map_err(|e| self.container.explained_unless_lost(e))
    }

    async fn abort(&mut self) -> Result<()> {
        self.inner.abort().await
    }
}
